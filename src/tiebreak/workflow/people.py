"""People as a judge: pairs of answers go into a store of votes as open comparisons, and verdicts come back out of it.

Nobody waits here: what has no vote yet has no verdict, and the same evaluation reads it when it is made again. Knows
whose answers they are, since votes say it; which prompts are asked and what verdicts are for is in `workflow.judging`.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tiebreak.errors import InputError
from tiebreak.evaluate.judges import Comparison, Verdicts
from tiebreak.evaluate.judges.judge import OnProgress, quiet
from tiebreak.formatting.hub_names import public_name
from tiebreak.generation.sampling import Sampling
from tiebreak.runs import RunFolder
from tiebreak.votes import open_votes
from tiebreak.votes.address import parse_address
from tiebreak.votes.checks import check_compared
from tiebreak.votes.open_comparison import OpenComparison, key_of, open_comparison, points_for, votes_that_count
from tiebreak.votes.vote import Answer, Vote
from tiebreak.workflow.progress import Progress
from tiebreak.workflow.prompts import AskedPrompt

if TYPE_CHECKING:
    from tiebreak.workflow.answers import SampledAnswers

NAME = "people"
_VERSION = 1  # raised when the same evaluation would get another key
_BESIDE = ("top_k", "min_p", "presence_penalty", "frequency_penalty", "repetition_penalty")
_EQUAL = "equal answers, a tie without asking"
_TOOLS = "prompts with tools, not put to people"


@dataclass(frozen=True)
class Put:
    """What an evaluation puts to people.

    Attributes:
        comparisons: at most, since equal answers are not asked about.
    """

    comparisons: int


@dataclass(frozen=True)
class Author:
    """Whose answers are compared, as votes have it.

    Attributes:
        model: its name, as the server calls it.
        fingerprint: of its weights.
        sampling: how the answers were drawn.
    """

    model: str
    fingerprint: str
    sampling: Mapping[str, float | int | str | None]


@dataclass(frozen=True)
class People:
    """A judge of pairs: whoever votes in a store.

    Attributes:
        url: address of the store.
        evaluation: its key.
        first, second: whose the first and the second answer of each comparison is.
    """

    url: str
    evaluation: str
    first: Author
    second: Author

    @property
    def name(self) -> str:
        """As it is shown."""
        return NAME

    @property
    def record(self) -> Mapping[str, Any]:
        """Which votes, by the address without a password."""
        return {"votes": parse_address(self.url).shown, "evaluation": self.evaluation}

    def cost(self, comparisons: Sequence[Comparison]) -> None:
        """Nothing but people's time."""

    def compare(self, comparisons: Sequence[Comparison], progress: OnProgress = quiet) -> Verdicts:
        """Ask what was not asked before, all of it or nothing, and say what people have said so far.

        The verdict on a comparison is the mean of its votes that count, each voter speaking once; a tie and "both bad"
        are one half. Before the first vote on any of them there is no verdict at all, also where answers are equal.

        Raises:
            InputError, RunError: as for `open_votes`.
        """
        notes = Counter[str]()
        asked = [self._asked(each, notes) for each in comparisons]
        different = {each.id: each for each in asked if each is not None}
        with open_votes(self.url) as store:
            store.open_comparisons.add_all(different.values())
            found = store.open_comparisons.votes_on(different)
        of_each: dict[str, list[Vote]] = {id: [] for id in different}
        for vote in found:
            of_each[str(vote.comparison)].append(vote)
        counted = {id: votes_that_count(each, of_each[id]) for id, each in different.items()}
        progress(len(comparisons))
        heard = [vote for votes in counted.values() for vote in votes]
        if heard:
            notes["votes"] = len(heard)
            notes["voters"] = len({vote.voter for vote in heard})
        points = [
            self._points(each, given, counted, begun=bool(heard) or not different)
            for each, given in zip(comparisons, asked, strict=True)
        ]
        waiting = sum(given is not None and not counted[given.id] for given in asked)
        return Verdicts(tuple(points), notes=dict(notes), waiting=waiting)

    def _asked(self, each: Comparison, notes: Counter[str]) -> OpenComparison | None:
        """The question to people; None where there is none, which is noted."""
        if _equal(each):
            notes[_EQUAL] += 1
            return None
        if each.tools is not None or any(not turn.is_plain or turn.role == "tool" for turn in each.prompt):
            notes[_TOOLS] += 1
            return None
        prompt = tuple((turn.role, turn.content) for turn in each.prompt)
        first, second = _answer(each.first, self.first), _answer(each.second, self.second)
        try:
            check_compared(prompt, first, second)
        except InputError as error:
            notes[f"not put to people: {error.what.rstrip('.')}"] += 1
            return None
        return open_comparison(self.evaluation, prompt, first, second)

    def _points(
        self, each: Comparison, asked: OpenComparison | None, counted: Mapping[str, Sequence[Vote]], *, begun: bool
    ) -> float | None:
        if asked is None:
            return 0.5 if begun and _equal(each) else None
        votes = counted[asked.id]
        return points_for(_answer(each.first, self.first), votes) if votes else None


def people_for(
    url: str, prompts: Sequence[AskedPrompt], answers: SampledAnswers, against: SampledAnswers, sampling: Sampling
) -> People:
    """The people who judge a model's answers against another's.

    Args:
        url: address of the store of votes.
        prompts: all that were answered.
        answers, against: of the two models.
        sampling: how both were drawn.
    """
    names = [served_name(each.model) for each in (answers, against)]
    if names[0] == names[1]:
        names[0] += "-2"  # as the server does with two models of one name
    prints = [str(each.record["fingerprint"]) for each in (answers, against)]
    rows = [[[turn.to_row() for turn in each.turns], each.tools] for each in prompts]
    evaluation = key_of("evaluation", _VERSION, rows, sorted(prints), asdict(sampling))
    kept = _kept(sampling)
    return People(url, evaluation, *(Author(name, print_, kept) for name, print_ in zip(names, prints, strict=True)))


def served_name(model: str) -> str:
    """What the server calls a model, and so votes: a run by its title, another by what strangers may read."""
    run = RunFolder(Path(model))
    return run.title if run.recipe_path.is_file() else public_name(model)


def open_for_people(url: str, progress: Progress) -> None:
    """Make sure that answers can be put to people before any is sampled; says where a new store was made.

    Raises:
        InputError, RunError: as for `open_votes`.
    """
    path = parse_address(url).path
    new = path is not None and not os.path.lexists(path)
    open_votes(url).close()
    if new:
        progress.say(f"there were no votes in {path}: a new store was made")


def _equal(each: Comparison) -> bool:
    """Whether people see no difference: white space around an answer is none."""
    return each.first.strip() == each.second.strip()


def _answer(text: str, author: Author) -> Answer:
    return Answer(text, author.model, author.fingerprint, author.sampling, None)


def _kept(sampling: Sampling) -> dict[str, float | int | str | None]:
    """The settings as a vote has them. The seed is of all answers together, so it stands among them."""
    usual = Sampling()
    beside = {name: getattr(sampling, name) for name in _BESIDE if getattr(sampling, name) != getattr(usual, name)}
    return {
        "temperature": sampling.temperature,
        "top_p": sampling.top_p,
        "max_tokens": sampling.max_new_tokens,
        "seed": sampling.seed,
        **beside,
    }
