"""Tiebreak: turn comparisons of two answers into a language model that gives the better one."""

from tiebreak.version import __version__

__all__ = ["__version__"]
