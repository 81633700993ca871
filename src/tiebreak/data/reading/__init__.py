"""From a source to its rows: bytes, files, the Hub, votes. Knows nothing of the forms that rows have."""
