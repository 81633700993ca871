"""EleutherAI's lm-evaluation-harness on models that are loaded here: its tasks, its prompts, its metrics.

The harness is an extra: it is imported in functions only. What it measured becomes plain data in `scores`.
"""
