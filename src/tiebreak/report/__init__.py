"""What a run says about itself: figures, the HTML report, the model card, and the table for the terminal.

The page is in `page`, the card in `card`, the table in `table`; none of them loads a model.
"""
