"""Preference data, from a source to token ids.

The way of a row goes down: a source gives rows (`reading`), each form of rows has its way to a canonical row (`forms`,
`canonical`, `preference`), these are kept and loaded (`cache`, `load`), selected and tokenized (`preparing`), looked at
(`profile`) or written for others (`convert`). Nothing climbs back.
"""
