"""Whole journeys, from a recipe to a run folder: the only room besides the command line that knows all the others."""
