"""The one script of a page, and the policy by which a browser runs it and nothing else.

The script is written into the page, which stays one file; the policy names it by its hash, so that no text of a run
could ever run, not even one that was not escaped.
"""

from __future__ import annotations

import base64
import hashlib
from pathlib import Path

_SCRIPT = Path(__file__).parent / "templates" / "page.js"


def script() -> str:
    """What stands between the page's script tags."""
    return _SCRIPT.read_text(encoding="utf-8")


def policy(text: str) -> str:
    """The Content-Security-Policy of a page with one script.

    Args:
        text: of the script, exactly as it stands between its tags.
    """
    digest = base64.b64encode(hashlib.sha256(text.encode("utf-8")).digest()).decode("ascii")
    allowed = f"style-src 'unsafe-inline'; script-src 'sha256-{digest}'"
    return f"default-src 'none'; {allowed}; base-uri 'none'; form-action 'none'"
