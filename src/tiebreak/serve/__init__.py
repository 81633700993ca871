"""A server of models: pages for people, and an API that existing clients speak."""
