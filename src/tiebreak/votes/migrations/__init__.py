"""The migrations of the votes store, run by `tiebreak.votes.migrate`; no ini file, no command line."""
