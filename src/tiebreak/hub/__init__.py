"""Runs and data sets to the Hub: what is uploaded, what is said of it, and what can go wrong."""
