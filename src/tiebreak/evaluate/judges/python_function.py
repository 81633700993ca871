"""A judge that is a function of the user's: from the messages of a prompt and an answer to a score or a truth value."""

from __future__ import annotations

import inspect
from typing import Any

from tiebreak.data.forms.transform import find_function
from tiebreak.data.reading.rows import quoted, shown
from tiebreak.errors import InputError
from tiebreak.evaluate.judges.judge import PointwiseJudge, Prompt, Score, is_score, one_by_one


def python_judge(name: str, *, where: str = "evaluate.judge") -> PointwiseJudge:
    """Find the function; this imports its module, which is looked for in the working directory first.

    Args:
        name: `module:function`. It gets the prompt as a list of dicts with `role` and `content`, and the answer.
        where: what names it, for errors.
    Raises:
        InputError: there is no such function, or it does not take two arguments.
    """
    function, fingerprint = find_function(name, where=where, example="judges:polite")
    try:
        inspect.signature(function).bind([], "")
    except TypeError:
        raise InputError(
            f"The function '{name}' does not take a prompt and an answer.",
            where=where,
            fix="write def judge(prompt, answer)",
        ) from None
    except ValueError:
        pass  # a function that is not written in Python may have no signature; its call says what is wrong

    def judge(prompt: Prompt, answer: str) -> Any:
        try:
            return function([turn.to_row() for turn in prompt], answer)
        except Exception as error:  # the function is its author's and may raise anything
            raise InputError(
                f"The judge {name} failed on an answer: {type(error).__name__}: {error}.",
                where=f"{where}, {_prompt_of(prompt)}",
                fix="correct the function",
            ) from error

    def read(value: Any, prompt: Prompt) -> Score:
        if hasattr(value, "item") and getattr(value, "size", 1) in (1, ()):
            value = value.item() if callable(value.item) else value  # a number of NumPy's or of torch
        if value is None or is_score(value):
            return value  # type: ignore[no-any-return]  # checked
        raise InputError(
            f"The judge {name} gives a finite number, True or False, or None; found {shown(value)}.",
            where=f"{where}, {_prompt_of(prompt)}",
            fix="correct the function",
        )

    return PointwiseJudge(name, one_by_one(judge, read), {"python": name, "sha256": fingerprint})


def _prompt_of(prompt: Prompt) -> str:
    return f"prompt {quoted(prompt[-1].content)}" if prompt else "an empty prompt"
