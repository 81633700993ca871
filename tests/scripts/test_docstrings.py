"""How docstrings are read for the reference of the site."""

from __future__ import annotations

import pytest

pytest.importorskip("griffe", reason='pip install -e ".[docs]"')

from scripts.docstrings import spread


def test_sections_stand_apart_and_names_that_share_an_entry_get_one_each() -> None:
    dense = (
        "The loss.\n\nArgs:\n    policy, reference: log-probs,\n        in nats.\n    beta: scale.\n"
        "Raises:\n    InputError, RunError: it is wrong.\nSource:\n    A paper, of a place: this one.\n"
    )
    assert spread(dense) == (
        "The loss.\n\nArgs:\n    policy: log-probs,\n        in nats.\n    reference: log-probs,\n        in nats.\n"
        "    beta: scale.\n\nRaises:\n    InputError: it is wrong.\n    RunError: it is wrong.\n\n"
        "Source:\n    A paper, of a place: this one.\n"
    )


def test_what_is_spread_already_stays() -> None:
    text = "Words: with a colon.\n\nArgs:\n    one: thing.\n\nReturns:\n    Another, and more.\n"
    assert spread(text) == text
