"""A diagnosis as lines of text for a terminal, a log or a report. Knows no colours."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator

from tiebreak.doctor.examine import Diagnosis
from tiebreak.doctor.finding import Finding
from tiebreak.formatting.text import one_line

WIDTH = 80
_INDENT = 10
PAGE = "docs/doctor.md"
"""Where each finding has a paragraph under its name."""


def written(diagnosis: Diagnosis, width: int = WIDTH) -> Iterator[str]:
    """The whole diagnosis.

    Args:
        diagnosis: what was found.
        width: longest line, in characters.
    """
    yield from _filled(_looked_at(diagnosis), 0, width)
    for finding in diagnosis.findings:
        yield ""
        yield from written_finding(finding, width)
    if not diagnosis.findings:
        log = diagnosis.facts.log
        where = "the data" if diagnosis.facts.data is not None and log is None else "the settings"
        yield f"No finding in {where}." if log is None else f"No finding in {log.said_length}."
    if diagnosis.unseen:
        yield ""
        said = "; ".join(f"{', '.join(each.names)} (the log has no {each.missing})" for each in diagnosis.unseen)
        yield from _filled(f"Not looked at: {said}.", 0, width)
    if diagnosis.findings:
        yield ""
        yield f"{PAGE} has a paragraph on each."


def written_finding(finding: Finding, width: int = WIDTH) -> Iterator[str]:
    """One finding: its name and title, its figures, what they mean, what to change."""
    yield from _filled(f"{finding.severity.upper():<{_INDENT - 1}} {finding.name}: {finding.title}", _INDENT, width)
    if finding.evidence:
        yield from _part("seen", "; ".join(figure.text for figure in finding.evidence), width)
    yield from _part("means", finding.means, width)
    for number, flag in enumerate(finding.flags):
        yield from _part("" if number else "change", flag, width)
    for number, advice in enumerate(finding.advice):
        yield from _part("" if number or finding.flags else "change", advice, width)
    yield from _part("why", f"{finding.source} How sure: {finding.sure}.", width)


def _looked_at(diagnosis: Diagnosis) -> str:
    """What was looked at, and what is assumed of it."""
    facts = diagnosis.facts
    if facts.log is None and facts.data is not None:
        data, looked = facts.data, facts.data.traits.looked_at if facts.data.traits is not None else None
        read = "" if looked is None or looked == data.train else f"; the texts of {looked:,} were read"
        settings = "" if facts.recipe is None else "; settings of the recipe"
        many = f"{data.train or 0:,} to train on, {data.held_out or 0:,} held out"
        return f"{one_line(data.source)}: form {data.schema_}, {many}{read}{settings}"
    if facts.log is None:
        return "Settings of the recipe."
    name, examples = facts.known_objective, facts.held_out_examples
    loss = f"loss: {name}" if name is not None else "loss: not said (--objective)"
    many = f"held-out examples: {examples:,}" if examples else "held-out examples: not said (--held-out)"
    return f"{one_line(facts.log.source)}: {facts.log.kind}, {facts.log.said_length}; {loss}; {many}"


def _part(label: str, text: str, width: int) -> Iterator[str]:
    yield from _filled(f"{label:<{_INDENT - 1}} {text}", _INDENT, width)


def _filled(text: str, indent: int, width: int) -> list[str]:
    return textwrap.wrap(text, width, subsequent_indent=" " * indent, break_long_words=False, break_on_hyphens=False)
