"""What a model is like: held-out preference metrics, answers to prompts, and what a judge says of them."""
