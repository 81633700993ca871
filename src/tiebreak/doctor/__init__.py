"""What is wrong with a run, and what to change: findings over its log and its settings.

A finding is made by a rule: a pure function over frozen `Facts`, in a file of its family, named in `registry`. Logs of
Tiebreak and of others are read in `reading`. Knows no torch, no model and no terminal.
"""
