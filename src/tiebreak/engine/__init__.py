"""Scoring sequences: tree batches, the padded path, the self-check that both agree, and the reference's log-probs."""
