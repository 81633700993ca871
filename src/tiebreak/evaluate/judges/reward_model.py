"""A judge that is a reward model: any sequence classifier of `transformers`, with its own tokenizer and template.

Answers go in as text, so the tokenizer of the models that wrote them does not matter. Batches are of like length and of
bounded tokens; padding changes no score.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from typing import Any

import torch

from tiebreak.errors import InputError
from tiebreak.evaluate.judges.judge import Asked, OnProgress, PointwiseJudge, Prompt, Score
from tiebreak.models.load import locate
from tiebreak.models.precision import choose_device
from tiebreak.process.memory import in_usable_thread

_EMPTY = "texts of which the reward model's tokenizer makes no tokens"
_LONGER = "longer than the reward model takes"


def reward_model_judge(name: str, *, batch_tokens: int = 8192, where: str = "evaluate.judge") -> PointwiseJudge:
    """A judge by a reward model, which is loaded when it is first asked.

    Args:
        name: Hub id or folder.
        batch_tokens: tokens that it reads at once; a longer answer is read alone.
        where: what names it, for errors.
    """
    loaded: list[_RewardModel] = []

    def score(asked: Sequence[Asked], progress: OnProgress) -> tuple[list[Score], Mapping[str, int]]:
        if not loaded:
            loaded.append(_RewardModel(name, where))
        return loaded[0].score(asked, batch_tokens, progress)

    return PointwiseJudge(name, score, {"reward_model": name})


class _RewardModel:
    def __init__(self, name: str, where: str) -> None:
        from transformers import AutoModelForSequenceClassification, AutoTokenizer

        found, self._name, self._where = locate(name), name, where
        try:
            self.tokenizer: Any = AutoTokenizer.from_pretrained(found.source, revision=found.revision)
            model, info = AutoModelForSequenceClassification.from_pretrained(
                found.source, revision=found.revision, dtype=torch.float32, output_loading_info=True
            )
        except (OSError, ValueError, ImportError) as error:
            raise InputError(
                f"The reward model '{name}' cannot be loaded: {' '.join(str(error).split())[:200]}.",
                where=where,
                fix="name a sequence classifier with its tokenizer: a Hub id or a folder",
            ) from None
        if info["missing_keys"]:
            raise InputError(
                f"'{name}' is no reward model: its weights lack {', '.join(sorted(info['missing_keys'])[:3])}.",
                where=where,
                fix="name a model that was trained to score answers",
            )
        if model.config.num_labels > 2:
            raise InputError(
                f"'{name}' has {model.config.num_labels} labels, so it gives no single score.",
                where=where,
                fix="name a reward model with one label, or two of which the second is the better",
            )
        self.model: Any = model.to(choose_device()).eval()
        limit = getattr(model.config.get_text_config(), "max_position_embeddings", None)
        self._longest = limit if isinstance(limit, int) and limit > 0 else None

    @torch.no_grad()
    def score(
        self, asked: Sequence[Asked], batch_tokens: int, progress: OnProgress
    ) -> tuple[list[Score], Mapping[str, int]]:
        ids = [self._ids(prompt, answer) for prompt, answer in asked]
        longest = self._longest or math.inf
        fits = [i for i in range(len(ids)) if 0 < len(ids[i]) <= longest]
        found: list[Score] = [None] * len(ids)
        notes = Counter(_LONGER if each else _EMPTY for each in ids if not 0 < len(each) <= longest)
        done = len(ids) - len(fits)
        for part in _batches(fits, ids, batch_tokens):
            values = in_usable_thread(partial(self._values, [ids[i] for i in part]))
            for i, value in zip(part, values, strict=True):
                found[i] = value
            done += len(part)
            progress(done)
        return found, dict(notes)

    def _ids(self, prompt: Prompt, answer: str) -> list[int]:
        turns = [turn.to_row() for turn in prompt] + [{"role": "assistant", "content": answer}]
        if self.tokenizer.chat_template is not None:
            text = self.tokenizer.apply_chat_template(turns, tokenize=False)
            return list(self.tokenizer(text, add_special_tokens=False)["input_ids"])
        if self.tokenizer.cls_token is None or self.tokenizer.sep_token is None:
            raise InputError(
                f"The reward model '{self._name}' has no chat template.",
                where=self._where,
                fix="name one whose tokenizer has a chat template, or that reads question and answer as two texts",
            )
        asked = "\n\n".join(turn.content for turn in prompt)
        return list(self.tokenizer(asked, answer)["input_ids"])

    def _values(self, ids: Sequence[Sequence[int]]) -> list[float]:
        config, longest = self.model.config, max(map(len, ids))
        before = config.pad_token_id
        # Where the model names no token for padding, any that is in no text will do: padding is masked anyway, and the
        # position that is scored is found by it.
        pad = before if before is not None else _absent(ids)
        rows = torch.tensor([[*each, *[pad] * (longest - len(each))] for each in ids], device=self.model.device)
        mask = torch.tensor([[1] * len(each) + [0] * (longest - len(each)) for each in ids], device=self.model.device)
        config.pad_token_id = pad
        try:
            logits = self.model(input_ids=rows, attention_mask=mask).logits.float()
        finally:
            config.pad_token_id = before
        values = logits[:, 0] if logits.shape[1] == 1 else logits[:, 1] - logits[:, 0]
        if not bool(torch.isfinite(values).all()):
            raise InputError(
                f"The reward model '{self._name}' gives scores that are no numbers.",
                where=self._where,
                fix="name another model",
            )
        found: list[float] = values.tolist()
        return found


def _absent(ids: Sequence[Sequence[int]]) -> int:
    there = {token for each in ids for token in each}
    return next(token for token in range(len(there) + 1) if token not in there)


def _batches(which: Sequence[int], ids: Sequence[Sequence[int]], tokens: int) -> Iterator[list[int]]:
    """Texts of like length together, padded to at most so many tokens."""
    part: list[int] = []
    for i in sorted(which, key=lambda i: (len(ids[i]), i)):
        if part and len(ids[i]) * (len(part) + 1) > tokens:
            yield part
            part = []
        part.append(i)
    if part:
        yield part
