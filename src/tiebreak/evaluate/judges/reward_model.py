"""A judge that is a reward model: any sequence classifier of `transformers`, with its own tokenizer and template.

Answers go in as text, so the tokenizer of the models that wrote them does not matter. Where it is right for the model,
the answers to one prompt go through it as trees (`reward_trees.py`); else batches are padded, of texts of like length.
Neither batch nor padding changes a score.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch
from torch import Tensor

from tiebreak.engine.batch import PaddedBatch
from tiebreak.engine.end_scores import one_score
from tiebreak.engine.rope import frequencies_of_each
from tiebreak.errors import InputError
from tiebreak.evaluate.judges.judge import Asked, OnProgress, PointwiseJudge, Prompt, Score
from tiebreak.evaluate.judges.reward_trees import Ids, RewardTrees, bundles_of
from tiebreak.models.load import locate
from tiebreak.models.precision import choose_device
from tiebreak.process.memory import in_usable_thread

_EMPTY = "texts of which the reward model's tokenizer makes no tokens"
_LONGER = "longer than the reward model takes"
_FEWEST = 2  # texts, and tokens of a text, by trees: one text shares nothing, and of one token nothing can be shared


def reward_model_judge(name: str, *, batch_tokens: int = 8192, where: str = "evaluate.judge") -> PointwiseJudge:
    """A judge by a reward model, which is loaded when it is first asked.

    Its record has the `path` that its last texts took, `tree` or `padded`, and in a sentence why.

    Args:
        name: Hub id or folder.
        batch_tokens: tokens that it reads at once; a longer answer is read alone.
        where: what names it, for errors.
    """
    loaded: list[_RewardModel] = []
    record = {"reward_model": name}

    def score(asked: Sequence[Asked], progress: OnProgress) -> tuple[list[Score], Mapping[str, int]]:
        if not loaded:
            loaded.append(_RewardModel(name, where))
        found = loaded[0].score(asked, batch_tokens, progress)
        record.update(path=loaded[0].path, path_reason=loaded[0].reason)  # it shows when texts are there
        return found

    return PointwiseJudge(name, score, record)


@dataclass(frozen=True)
class _Text:
    """A text as the model reads it.

    Attributes:
        ids: its tokens.
        kinds: of an encoder that tells question and answer apart, to which of them each token belongs; else empty.
    """

    ids: list[int]
    kinds: list[int]


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
        config = model.config.get_text_config()
        if hasattr(config, "use_cache"):
            config.use_cache = False  # nothing follows a text
        limit = getattr(config, "max_position_embeddings", None)
        self._longest = limit if isinstance(limit, int) and limit > 0 else None
        self._trees = RewardTrees(name, self.model, self._at_last_tokens)
        self.path, self.reason = "padded", ""

    @torch.no_grad()
    def score(
        self, asked: Sequence[Asked], batch_tokens: int, progress: OnProgress
    ) -> tuple[list[Score], Mapping[str, int]]:
        texts = [self._text(prompt, answer) for prompt, answer in asked]
        longest = self._longest or math.inf
        fits = [i for i in range(len(texts)) if 0 < len(texts[i].ids) <= longest]
        found: list[Score] = [None] * len(texts)
        notes = Counter(_LONGER if each.ids else _EMPTY for each in texts if not 0 < len(each.ids) <= longest)
        done = len(texts) - len(fits)
        for part, values in self._scored(texts, [tuple(prompt) for prompt, _ in asked], fits, batch_tokens):
            self._check(values)
            for i, value in zip(part, values, strict=True):
                found[i] = value
            done += len(part)
            progress(done)
        return found, dict(notes)

    def _scored(
        self, texts: Sequence[_Text], prompts: Sequence[Prompt], fits: Sequence[int], tokens: int
    ) -> Iterator[tuple[Sequence[int], list[float]]]:
        """Some texts after the other with their scores: by trees, and by padded batches what is not scored so."""
        left = dict.fromkeys(fits)
        ids = {i: self._until_scored(texts[i].ids) for i in fits}
        by_trees = [i for i in fits if len(ids[i]) >= _FEWEST]
        fault = self._trees.fault or self._none_by_trees(texts, by_trees)
        if not fault:
            for part, values in self._trees.score(bundles_of(by_trees, ids, prompts), tokens):
                yield part, values
                for i in part:
                    del left[i]
            fault = self._trees.fault
        self.path = "padded" if fault else "tree"
        self.reason = f"{self.path} batches: {fault or f'scores agree to {self._trees.agreement or 0.0:.0e}'}"
        for part in _batches(list(left), [text.ids for text in texts], tokens):
            yield part, in_usable_thread(partial(self._padded, [texts[i] for i in part])).tolist()

    @staticmethod
    def _none_by_trees(texts: Sequence[_Text], which: Sequence[int]) -> str:
        """Why trees are not even tried with these texts; empty where they are."""
        if any(text.kinds for text in texts):
            return "the model is told which tokens are the question's, as encoders are"
        return "" if len(which) >= _FEWEST else "a single text shares nothing"

    def _text(self, prompt: Prompt, answer: str) -> _Text:
        turns = [turn.to_row() for turn in prompt] + [{"role": "assistant", "content": answer}]
        if self.tokenizer.chat_template is not None:
            text = self.tokenizer.apply_chat_template(turns, tokenize=False)
            return _Text(list(self.tokenizer(text, add_special_tokens=False)["input_ids"]), [])
        if self.tokenizer.cls_token is None or self.tokenizer.sep_token is None:
            raise InputError(
                f"The reward model '{self._name}' has no chat template.",
                where=self._where,
                fix="name one whose tokenizer has a chat template, or that reads question and answer as two texts",
            )
        asked = "\n\n".join(turn.content for turn in prompt)
        read = self.tokenizer(asked, answer)
        kinds = list(read.get("token_type_ids") or ())
        # Tokenizers make them for models that have no use for them, too.
        told = 0 < max(kinds, default=0) < (getattr(self.model.config, "type_vocab_size", None) or 0)
        return _Text(list(read["input_ids"]), kinds if told else [])

    def _until_scored(self, ids: list[int]) -> list[int]:
        """A text up to the token that is scored: the model takes what it is padded with for padding in a text too."""
        end, pad = len(ids), self.model.config.get_text_config().pad_token_id
        while end > 1 and ids[end - 1] == pad:
            end -= 1
        return ids[:end]

    def _at_last_tokens(self, ids: Sequence[Ids]) -> Tensor:
        """The scores of texts at their very last tokens."""
        return self._padded([_Text(list(each), []) for each in ids], pad=_absent(ids))

    def _padded(self, texts: Sequence[_Text], pad: int | None = None) -> Tensor:
        """The scores of texts by one padded batch.

        Args:
            texts: at least one.
            pad: the token to pad with; None is the model's own.
        """
        config, longest = self.model.config.get_text_config(), max(len(each.ids) for each in texts)
        before = config.pad_token_id
        # Where the model names no token for padding, any that is in no text will do: padding is masked anyway, and the
        # position that is scored is found by it.
        pad = before if pad is None else pad
        pad = _absent([each.ids for each in texts]) if pad is None else pad
        rows = [[*each.ids, *[pad] * (longest - len(each.ids))] for each in texts]
        given = {
            "input_ids": rows,
            "attention_mask": [[1] * len(each.ids) + [0] * (longest - len(each.ids)) for each in texts],
        }
        if any(each.kinds for each in texts):
            given["token_type_ids"] = [[*each.kinds, *[0] * (longest - len(each.kinds))] for each in texts]
        tensors = {name: torch.tensor(value, device=self.model.device) for name, value in given.items()}
        batch = PaddedBatch(tensors["input_ids"], tensors["attention_mask"], *[torch.empty(0, dtype=torch.int64)] * 2)
        config.pad_token_id = pad
        try:
            with frequencies_of_each(self.model, batch):
                logits = self.model(**tensors).logits.float()
        finally:
            config.pad_token_id = before
        return one_score(logits)

    def _check(self, values: Sequence[float]) -> None:
        if not all(map(math.isfinite, values)):
            raise InputError(
                f"The reward model '{self._name}' gives scores that are no numbers.",
                where=self._where,
                fix="name another model",
            )


def _absent(ids: Sequence[Ids]) -> int:
    there = {token for each in ids for token in each}
    return next(token for token in range(len(there) + 1) if token not in there)


def _batches(which: Sequence[int], ids: Sequence[Ids], tokens: int) -> Iterator[list[int]]:
    """Texts of like length together, padded to at most so many tokens."""
    part: list[int] = []
    for i in sorted(which, key=lambda i: (len(ids[i]), i)):
        if part and len(ids[i]) * (len(part) + 1) > tokens:
            yield part
            part = []
        part.append(i)
    if part:
        yield part
