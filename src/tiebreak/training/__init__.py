"""Training: the trainer over tree batches, its preference and supervised forms, and what watches it."""
