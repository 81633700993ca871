"""The policy of a page lets its own script run and nothing else."""

from __future__ import annotations

from tiebreak.report.script import policy, script


def test_the_policy_has_the_hash_of_the_script() -> None:
    # `printf 'alert(1)' | openssl dgst -sha256 -binary | base64`
    assert policy("alert(1)") == (
        "default-src 'none'; style-src 'unsafe-inline'; "
        "script-src 'sha256-bhHHL3z2vDgxUt0W3dWQOrprscmda2Y5pLsLg4GF+pI='; base-uri 'none'; form-action 'none'"
    )
    assert policy("alert(1) ") != policy("alert(1)")


def test_the_script_can_stand_between_tags() -> None:
    text = script()
    assert "</" not in text
    assert "<!--" not in text
    assert "\r" not in text  # a browser would make a line feed of it, and the hash another one
