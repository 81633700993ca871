"""The engines behind the server: models on this machine, or another server."""
