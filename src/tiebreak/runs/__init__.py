"""The run folder: what lies where, what is recorded, and how it survives a kill."""

from tiebreak.runs.folder import RunFolder

__all__ = ["RunFolder"]
