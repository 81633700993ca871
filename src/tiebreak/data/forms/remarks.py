"""What is worth knowing of a canonical row that is kept: scores that contradict it, marks of a rendered conversation.

Marks such as `<image>` stand for pictures; rows that have the pictures beside them are dropped where they are read.

Knows canonical rows as they are written.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

CONTRADICTED = "the scores say that the rejected completion is the better one"
RENDERED = "text with the marks of a rendered conversation, such as <|im_start|>"
PICTURED = "text with a mark such as <image>, and no picture beside it: it is trained on as text"
REPEATED = "completions that begin with their prompt, kept as they are"
_MARKS = re.compile(
    r"<\|(?:im_start|im_end|eot_id|start_header_id|end_header_id|endoftext|user|assistant|system)\|>|\[/?INST\]"
    r"|<start_of_turn>|<end_of_turn>"
)


_PICTURES = re.compile(r"<(?:image|video|audio)>|<\|(?:image|image_pad|vision_start|video_pad|audio)\|>|\[IMG\]")


def remarks(row: Mapping[str, Any]) -> list[str]:
    """Each remark on a row.

    Args:
        row: as `to_row` writes it.
    """
    found = []
    high, low = row.get("chosen_score"), row.get("rejected_score")
    if high is not None and low is not None and high < low:
        found.append(CONTRADICTED)
    said = row["prompt"][-1]["content"]
    texts = (row["chosen"], row["rejected"]) if "chosen" in row else (row["completion"],)
    marked = [text for text in (said, *texts) if "<" in text or "[" in text]
    if marked:
        if any(_MARKS.search(text) is not None for text in marked):
            found.append(RENDERED)
        if any(_PICTURES.search(text) is not None for text in marked):
            found.append(PICTURED)
    if len(texts) == 2 and len(said) > 1 and texts[0].startswith(said) and texts[1].startswith(said):
        found.append(REPEATED)
    return found
