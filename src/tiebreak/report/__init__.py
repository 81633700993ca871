"""A run's report: curves, before and after, a verdict, the HTML page and the model card; none of it loads a model."""
