"""Reading preferences: sources, formats, selection, tokens, and what a data set looks like."""
