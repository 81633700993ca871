"""`python -m tiebreak` is the `tiebreak` command."""

from tiebreak.cli.main import run

if __name__ == "__main__":
    run()
