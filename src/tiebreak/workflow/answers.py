"""A model's sampled answers to prompts: in batches, by a seed, and kept, so that nothing is sampled twice.

What is kept is a batch, since the draws of its answers come from one stream of random numbers.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Any

from tiebreak.data.preparing.encode import encode_texts
from tiebreak.data.preparing.templates import choose_template
from tiebreak.evaluate.kept import Kept, key_of
from tiebreak.generation.decoding import positions, prompt_ids
from tiebreak.generation.generate import Answer, Sampling, answers_with_ends
from tiebreak.models.load import load_tokenizer
from tiebreak.recipe import Recipe
from tiebreak.workflow.model import RunModel, prepare_model
from tiebreak.workflow.progress import Progress
from tiebreak.workflow.prompts import AskedPrompt

BATCH = 64
_VERSION = 2  # raised when the same settings would give other answers, or more is kept of one


@dataclass(frozen=True)
class SampledAnswers:
    """A model's answers to prompts, in their order.

    Attributes:
        model: its name.
        texts: the answers; empty where the prompt leaves no room for one.
        ended: whether each ended by itself.
        tokens: how many each has, by the model's tokenizer.
        prompt_ids: the tokens that each continues.
        ids: the tokens that were drawn for each, with those that ended it; empty where the prompt leaves no room.
        too_long: prompts that leave no room for an answer.
        sampled, kept: answers that were drawn now, and that were there.
        record: what they depend on: model, fingerprint of its weights, template, sampling settings.
    """

    model: str
    texts: tuple[str, ...]
    ended: tuple[bool, ...]
    tokens: tuple[int, ...]
    prompt_ids: tuple[tuple[int, ...], ...] = field(repr=False)
    ids: tuple[tuple[int, ...], ...] = field(repr=False)
    too_long: int
    sampled: int
    kept: int
    record: dict[str, Any]


def sample_answers(
    recipe: Recipe,
    prompts: Sequence[AskedPrompt],
    sampling: Sampling,
    progress: Progress,
    *,
    batch: int = BATCH,
    model: RunModel | None = None,
) -> SampledAnswers:
    """Sample one answer to each prompt.

    Args:
        recipe: its sections `model`, `train` and `data` say which model, how it computes, and the template.
        prompts: conversations.
        sampling: how tokens are drawn; each batch has a seed of its own, made of this one and its number.
        progress: where progress is shown.
        batch: answers that are drawn together and kept together.
        model: of the recipe, where it is loaded already.
    Raises:
        InputError: the model cannot be loaded, or its template cannot write a prompt.
        RunError: the cache cannot be written.
    """
    section, special = recipe.model, recipe.data.special_tokens
    tokenizer = load_tokenizer(section.name, revision=section.revision, trust_remote_code=section.trust_remote_code)
    template = choose_template(tokenizer, recipe.data.template)
    ids = [prompt_ids(tokenizer, each.turns, template, tools=each.tools, special_tokens=special) for each in prompts]
    order = sorted(range(len(ids)), key=lambda i: (len(ids[i]), i))  # of like length together: little padding
    model, kept = model or prepare_model(recipe), Kept("answers", "sampled answers")
    room = positions(model.model)
    found: dict[int, Answer] = {}
    drawn = 0
    with progress.bar(f"answers, {section.name}", len(prompts)) as update:
        for number, start in enumerate(range(0, len(order), batch)):
            members = order[start : start + batch]
            drawing = replace(sampling, seed=(sampling.seed + number) % 2**32)
            key = key_of(
                *("answers", _VERSION, model.fingerprint, model.precision.name, template),
                *(asdict(drawing), [ids[i] for i in members]),
            )
            there = kept.get([key]).get(key)
            if there is None:
                answers = answers_with_ends(
                    model.model,
                    tokenizer,
                    [prompts[i].turns for i in members],
                    drawing,
                    template=template,
                    tools=[prompts[i].tools for i in members],
                    special_tokens=special,
                    batch_size=batch,
                    autocast=model.precision.autocast,
                )
                kept.put(key, [[answer.text, answer.ended, answer.ids] for answer in answers])
                drawn += len(members)
            else:
                answers = [Answer(text, ended, tuple(drawn)) for text, ended, drawn in there]
            found.update(zip(members, answers, strict=True))
            update(len(found))
    texts = [found[i].text for i in range(len(prompts))]
    return SampledAnswers(
        model=section.name,
        texts=tuple(texts),
        ended=tuple(found[i].ended for i in range(len(prompts))),
        tokens=tuple(len(each) for each in encode_texts(tokenizer, texts)),
        prompt_ids=tuple(map(tuple, ids)),
        ids=tuple(found[i].ids for i in range(len(prompts))),
        too_long=0 if room is None else sum(len(each) >= room for each in ids),
        sampled=drawn,
        kept=len(prompts) - drawn,
        record={
            "model": section.name,
            "fingerprint": model.fingerprint,
            "template": template,
            "special_tokens": special,
            "sampling": asdict(sampling),
        },
    )
