"""Fields that may be one thing or another: which one was meant is decided first, so that what is wrong can be said.

A plain union is tried member by member, and its failure is a list of what each member would have liked.
"""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import Discriminator, Field, StringConstraints, Tag

# No tag is a plain word: `errors` takes tags for what they are, and not for names of fields.
_TEXT, _LIST, _IDS, _LISTS = "<text>", "<list>", "<ids>", "<lists>"

Text = Annotated[str, StringConstraints(max_length=1 << 20)]
TokenId = Annotated[int, Field(ge=0, lt=1 << 31, strict=True)]
_TokenIds = Annotated[list[TokenId], Field(min_length=1)]
_StopText = Annotated[str, StringConstraints(min_length=1, max_length=200)]


def _text_or_list(value: Any) -> str | None:
    return _TEXT if isinstance(value, str) else _LIST if isinstance(value, list) else None


def _kind_of_prompt(value: Any) -> str | None:
    kind = _text_or_list(value)
    first = value[0] if kind == _LIST and value else ""
    if isinstance(first, int) and not isinstance(first, bool):
        return _IDS
    return _LISTS if isinstance(first, list) else kind


def text_or_list(what: str) -> Discriminator:
    """Decides between a text, whose tag is `TEXT_TAG`, and a list, whose tag is `LIST_TAG`."""
    return Discriminator(_text_or_list, custom_error_type="kind", custom_error_message=f"Should be {what}")


TEXT_TAG, LIST_TAG = Tag(_TEXT), Tag(_LIST)

Stop = Annotated[
    Annotated[_StopText, TEXT_TAG] | Annotated[list[_StopText], Field(max_length=4), LIST_TAG],
    text_or_list("a text or a list of texts"),
]
"""Up to four texts before which an answer ends."""

Prompt = Annotated[
    Annotated[Text, TEXT_TAG]
    | Annotated[list[Text], Field(min_length=1), LIST_TAG]
    | Annotated[_TokenIds, Tag(_IDS)]
    | Annotated[list[_TokenIds], Field(min_length=1), Tag(_LISTS)],
    Discriminator(
        _kind_of_prompt,
        custom_error_type="kind",
        custom_error_message="Should be a text, a list of texts, a list of token ids, or a list of such lists",
    ),
]
"""One text or several, as they are or as token ids."""
