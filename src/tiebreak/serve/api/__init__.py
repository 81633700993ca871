"""OpenAI's API: routes, requests, errors, and who may ask how much."""
