"""From canonical rows to token ids: gathered, selected, rendered, encoded."""
