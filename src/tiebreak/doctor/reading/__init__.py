"""Readers of logs: each kind of file to a `TrainingLog`. What a file is, its content says, and not its name alone."""
