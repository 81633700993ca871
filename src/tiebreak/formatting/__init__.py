"""How numbers, text and names are written for people, wherever they are shown."""
