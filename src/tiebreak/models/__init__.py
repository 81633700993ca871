"""Models and tokenizers: loading them, saying what they are."""
