"""Scoring sequences: tree batches, the padded path, the check that both agree, and the reference's log-probs."""
