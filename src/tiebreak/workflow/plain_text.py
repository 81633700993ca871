"""What a model says of the plain text that ships with the package."""

from __future__ import annotations

from tiebreak.data.preparing.encode import encode_texts
from tiebreak.engine.batch import group_of
from tiebreak.engine.score import SCORING_TOKENS, Scorer, score_groups
from tiebreak.evaluate.perplexity import ReadText, fitting, paragraphs
from tiebreak.generation.decoding import positions
from tiebreak.models.load import load_tokenizer
from tiebreak.recipe import ModelSection
from tiebreak.workflow.model import RunModel
from tiebreak.workflow.progress import Progress


def read_plain_text(section: ModelSection, model: RunModel, progress: Progress) -> ReadText:
    """Score the plain text, without any template.

    Each paragraph stands after the token that begins a text, or that separates texts where there is none of those, as
    lm-evaluation-harness does.

    Args:
        section: which model it is.
        model: the same, loaded.
        progress: where progress is shown.
    Returns:
        Nothing of a paragraph of which the model has no room for a word, or where its tokenizer has no such token.
    """
    tokenizer = load_tokenizer(section.name, revision=section.revision, trust_remote_code=section.trust_remote_code)
    start = tokenizer.bos_token_id if tokenizer.bos_token_id is not None else tokenizer.eos_token_id
    room = positions(model.model)
    left = None if room is None else room - 1
    texts = [fitting(each, left, lambda text: len(encode_texts(tokenizer, [text])[0])) for each in paragraphs()]
    if start is None:
        progress.say(f"{section.name}: its tokenizer has no token that a text begins after; plain text is left out")
        texts = [""] * len(texts)
    ids = encode_texts(tokenizer, texts)
    there = [i for i, each in enumerate(ids) if each]
    # The paragraphs have nothing in common that a tree could share, and every causal model takes padded batches.
    scorer = Scorer("padded", model.precision.autocast, SCORING_TOKENS.get(model.device.type, 2048))
    groups = [group_of([start], [ids[i]], i) for i in there]
    with progress.bar(f"plain text, {section.name}", len(groups)) as update:
        scores = score_groups(model.model, groups, scorer, on_progress=update)
    logp = dict(zip(there, scores.logp[:, 0].tolist(), strict=True)) if there else {}
    return ReadText(tuple(texts), tuple(map(tuple, ids)), tuple(logp.get(i, 0.0) for i in range(len(texts))))
