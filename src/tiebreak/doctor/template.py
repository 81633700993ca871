"""Findings over what the chat template and the tokenizer make of the rows: tokens and turns doubled or missing."""

from __future__ import annotations

from tiebreak.doctor.facts import Facts
from tiebreak.doctor.finding import Figure, Finding, Severity
from tiebreak.formatting import numbers
from tiebreak.runs.manifest import RowsSeen, TemplateRecord

_NOTE, _WARNING = 0.01, 0.2
_END_NOTE = 0.02
_LOST_WARNING = 0.1


def no_end_token(facts: Facts) -> Finding | None:
    """Completions do not end with the token that ends an answer."""
    written, train = _written(facts), facts.data.train if facts.data is not None else None
    if written is None or not train or not written.without_end:
        return None
    share = max(seen.count for seen in written.without_end.values()) / train
    if share < _END_NOTE:
        return None
    cuts = facts.recipe is not None and facts.recipe.data.too_long in ("trim_completion", "trim")
    return Finding(
        name="no-end-token",
        severity=_severity(share, _WARNING),
        title="completions do not end with the end-of-sequence token",
        evidence=tuple(_figure(f"{name} without an end", seen, train) for name, seen in written.without_end.items()),
        means="The model sees answers that stop in the middle, and never the token that ends them. Its own answers "
        "will run on until a limit cuts them, too.",
        change={"data.too_long": "drop"} if cuts else {},
        advice=("What a limit does not cut ends with that token: raise `data.max_length`, or leave long rows out.",),
        source="Definition: the last token of each completion as it is trained on.",
        sure="certain",
    )


def doubled_start_token(facts: Facts) -> Finding | None:
    """Prompts begin with two start tokens."""
    written, train = _written(facts), facts.data.train if facts.data is not None else None
    if written is None or not train or written.doubled_start.count / train < _NOTE:
        return None
    parsed = facts.recipe is not None and facts.recipe.data.special_tokens == "parse"
    return Finding(
        name="doubled-start-token",
        severity=_severity(written.doubled_start.count / train, _WARNING),
        title="prompts begin with two start tokens",
        evidence=(_figure("prompts that do", written.doubled_start, train),),
        means="Models are trained with one start token, so this beginning is new to them. Where another program writes "
        "the prompt later, it has one again, and the model is asked otherwise than it was taught.",
        change={"data.special_tokens": "text"} if parsed else {},
        advice=("Take the start token out of the text of the rows, or one of the two out of the chat template.",),
        source="Definition: the first two tokens of each prompt as it is trained on.",
        sure="certain",
    )


def system_turn_twice(facts: Facts) -> Finding | None:
    """Prompts have two system turns, by the rows or by the template."""
    written = _written(facts)
    if written is None or not written.looked_at or written.doubled_system.count / written.looked_at < _NOTE:
        return None
    return Finding(
        name="system-turn-twice",
        severity=_severity(written.doubled_system.count / written.looked_at, _WARNING),
        title="prompts have two system turns",
        evidence=(
            _figure("prompts that do", written.doubled_system, written.looked_at),
            Figure("rows with a system turn", written.systems, numbers.share_of(written.systems, written.looked_at)),
        ),
        means="Either the rows have two, or the chat template writes one beside theirs. The model learns its answers "
        "under instructions that nobody will give it together.",
        advice=("Put the instructions into one system turn with `data.transform`, or mend the chat template.",),
        source="Measured on these rows: the prompts as the template writes them.",
        sure="likely",
    )


def dropped_turn(facts: Facts) -> Finding | None:
    """The template does not write all that was said, such as the thoughts of answers."""
    written = _written(facts)
    if written is None or not written.looked_at:
        return None
    whole = written.looked_at
    completions, turns = written.lost_completions.count, written.lost_turns.count
    if max(completions, turns) / whole < _NOTE:
        return None
    # Templates of reasoning models leave the thoughts of earlier answers out on purpose.
    worst = max(completions, turns - written.turn_thoughts) / whole
    evidence = [
        _figure(what, seen, whole)
        for what, seen in (
            ("rows with a completion not written whole", written.lost_completions),
            ("rows with a turn before it not written whole", written.lost_turns),
        )
        if seen.count
    ]
    thoughts = written.completion_thoughts + written.turn_thoughts
    if thoughts:
        evidence.append(Figure("of them lacking a thought alone", thoughts, numbers.whole(thoughts)))
    return Finding(
        name="dropped-turn",
        severity=_severity(worst, _LOST_WARNING),
        title="the chat template leaves out part of what was said",
        evidence=tuple(evidence),
        means="What is left out is not learned, and nothing can be learned of two completions that differ only there. "
        "The thoughts of earlier answers are mostly left out on purpose, since they are missing in a chat as well.",
        advice=(
            "Put a chat template that writes them into the model's folder; or leave them out of the rows, so that the "
            "completions are compared by what the model will say.",
        )
        if completions
        else ("Look whether the turns that are missing are what the answers depend on.",),
        source="Measured on these rows: each turn is looked for in what the template writes.",
        sure="likely",
    )


def _severity(share: float, warning: float) -> Severity:
    return "warning" if share >= warning else "note"


def _figure(what: str, seen: RowsSeen, whole: int) -> Figure:
    """How many rows of a whole, and which are the first of them."""
    more = ", …" if seen.count > len(seen.examples) else ""
    named = f": {', '.join(seen.examples)}{more}" if seen.examples else ""
    return Figure(what, seen.count, numbers.share_of(seen.count, whole) + named)


def _written(facts: Facts) -> TemplateRecord | None:
    return None if facts.data is None else facts.data.written
