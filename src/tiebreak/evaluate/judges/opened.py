"""From what a recipe or a flag says to a judge, before anything is judged by it."""

from __future__ import annotations

from typing import Literal

from tiebreak.evaluate.judges.command import command_judge
from tiebreak.evaluate.judges.endpoint import EndpointJudge
from tiebreak.evaluate.judges.judge import Judge, PointwiseJudge, one_by_one
from tiebreak.evaluate.judges.python_function import python_judge
from tiebreak.recipe.judge import JudgeSection

_BUNDLED = "bundled:"


def has_judge(source: str) -> bool:
    """Whether a data source comes with a judge."""
    return source.startswith(_BUNDLED)


def bundled_judge() -> PointwiseJudge:
    """The judge of the bundled world."""
    from tiebreak.bundled.judge import judge

    passed = one_by_one(lambda prompt, answer: judge(prompt, answer).passed, lambda value, _: bool(value))
    return PointwiseJudge("the bundled judge", passed, {"bundled": True})


def open_judge(named: Literal["none", "bundled"] | JudgeSection, *, where: str = "evaluate.judge") -> Judge | None:
    """The judge that is named; None where none is asked for.

    Args:
        named: as in a recipe, or as a flag was read.
        where: what names it, for errors.
    Raises:
        InputError: there is no such function, the command cannot be read, a package is missing, or a key is not set.
    """
    if isinstance(named, str):
        return bundled_judge() if named == "bundled" else None
    if named.python is not None:
        return python_judge(named.python, where=where)
    if named.command is not None:
        return command_judge(named.command, timeout=named.timeout, where=where)
    if named.openai is not None:
        from tiebreak.evaluate.judges.calls import check_endpoint

        check_endpoint(named.openai, where)
        return EndpointJudge(named.openai, where)
    from tiebreak.evaluate.judges.reward_model import reward_model_judge

    assert named.reward_model is not None  # a judge is of one kind
    return reward_model_judge(named.reward_model, batch_tokens=named.batch_tokens, where=where)
