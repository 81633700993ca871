"""Rules over the log of a training, a file a family: each takes `Facts` and gives a finding or None."""
