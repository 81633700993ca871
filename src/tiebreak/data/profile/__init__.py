"""What a set of rows looks like: lengths, repetitions, contradictions; as text and as a page."""
