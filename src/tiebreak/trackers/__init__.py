"""Trackers that a run is shown in: Weights & Biases, Trackio, TensorBoard, MLflow."""
