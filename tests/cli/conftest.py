"""Commands that use a votes store are tested on both databases."""

from tests.votes.conftest import postgres, url

__all__ = ["postgres", "url"]
