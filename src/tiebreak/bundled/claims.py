"""What an answer asserts, and whether that is true: one value, said once or more, without taking it back.

Part of the judge. Knows requests and ordinary English; does not know how the generator words its answers.
"""

from __future__ import annotations

import re

from tiebreak.bundled.facts import Kind
from tiebreak.bundled.requests import Request, digits

# In these kinds a rival is an assertion wherever it stands; elsewhere it may be an ordinary word ("happy to help").
_DISTINCTIVE: frozenset[Kind] = frozenset({"capitals", "calendar", "colours", "young", "sounds"})

_NEGATION = re.compile(
    r"(\b(not|never|no(?! doubt| problem)|nor|isn't|aren't|wasn't|rather than|instead of|neither)\b|n't\b)[^.,;:!?]*$"
)
_COPULA = (
    r"\b(?:is|are|be|becomes?|says?|goes|called|means?|equals?|was|answer|or|and|maybe|perhaps|actually)\b|'s\b|:|="
)
_DOUBT = re.compile(
    r"\b(either|maybe|perhaps|possibly|might be|may be|could be|not sure|no idea|i guess|or maybe|who knows)\b"
)
_LOOSE_ONE = re.compile(
    r"(?<!^)(?<![.!?:] )(?<!\bis )(?<!makes )(?<!make )(?<!get )(?<!are )(?<!answer )"
    r"\bone\b(?! (?:hundred|thousand))"
)
_TAKING_BACK = re.compile(r"(^|[.!?,;-] *)(no|wait|oops|actually|i mean|sorry, i meant|correction|or rather)\b[ ,.:!-]")


def fact_faults(request: Request, answer: str) -> list[str]:
    """Why the answer does not state the fact that was asked for; empty when it does.

    Args:
        request: of a kind that has a fact.
        answer: the text of the answer.
    """
    text = " ".join(answer.lower().replace("’", "'").split())
    if request.kind == "spelling":
        faults = _letter_faults(request, text)
    elif request.kind in ("sums", "units"):
        faults = _number_faults(request, text)
    else:
        faults = _word_faults(request, text)
    if not faults and _TAKING_BACK.search(text):
        faults.append("takes the answer back")
    if not faults and _DOUBT.search(text):
        faults.append("leaves it open")
    return faults


def sentences(text: str) -> list[str]:
    """The sentences of a text, with their closing mark."""
    return [part for part in re.split(r"(?<=[.!?…])\s+", text.strip()) if part]


def _number_faults(request: Request, text: str) -> list[str]:
    (right,) = request.accepted
    # "One" is a number only where a value stands; "a nice one" is not.
    text = _LOOSE_ONE.sub("", text)
    text = re.sub(r"(?<=\d)[, ](?=000\b)", "", digits(text))
    if request.kind == "units":
        text = re.sub(rf"\b1 {re.escape(request.subject[1])}\b", "", text)
    else:
        text = _without_addends(request.subject, text)
    found = [(m[0], m.start()) for m in re.finditer(r"(?<![\w.])-?\d+(?:\.\d+)?(?!\w)", text)]
    if not found:
        return ["gives no number"]
    if any(number != right for number, _ in found):
        return ["wrong number" if all(number != right for number, _ in found) else "contradicts itself"]
    denied = [bool(_NEGATION.search(text[:start])) for _, start in found]
    if any(denied):
        return ["denies the right number" if all(denied) else "contradicts itself"]
    open_ = all(_hedged(text, start + len(right), request.accepted) for _, start in found)
    return ["leaves it open"] if open_ else []


def _without_addends(addends: tuple[str, ...], text: str) -> str:
    """The text without the two numbers of the request where they stand together, as in "3 plus 4"."""
    a, b = addends
    between = r"(?: ?\+ ?|[^.!?\d]{1,16}\b)"
    for first, second in ((a, b), (b, a)):
        text = re.sub(rf"(?<!\d){first}\b{between}{second}(?!\d)", "", text)
    return text


def _letter_faults(request: Request, text: str) -> list[str]:
    (word,) = request.accepted
    runs: list[str] = []
    # Letters apart from each other, joined in one way; the strictest way that occurs is the one that counts.
    for joint in (r" ?- ?", r", ?(?:and )?", r" ", r"\. ?"):
        runs = re.findall(rf"(?<![\w'-])[a-z](?:{joint}[a-z](?!\w))+", text)
        if runs:
            break
    spelled = ["".join(re.findall(r"\b[a-z]\b", run)) for run in runs]
    if not spelled:
        return ["gives no letters"]
    if any(letters != word for letters in spelled):
        return ["wrong letters" if word not in spelled else "contradicts itself"]
    start = text.index(runs[0])
    if _NEGATION.search(text[:start]):
        return ["denies the right letters"]
    after = text[start + len(runs[0]) :]
    if re.match(r"[-, ]+(\w+-)?\w?$|-", after):
        return ["wrong letters"]
    others = re.findall(r"\bnot spelled\b", text)
    return ["contradicts itself"] if others else []


def _word_faults(request: Request, text: str) -> list[str]:
    spans = [
        m.span() for value in request.accepted for m in re.finditer(rf"(?<![\w-]){re.escape(value)}(?![\w-])", text)
    ]
    denied = [bool(_NEGATION.search(text[:start])) and not _is_contrast(request, text[:start]) for start, _ in spans]
    if not spans:
        return ["right answer missing"]
    if any(denied):
        return ["denies the right answer" if all(denied) else "contradicts itself"]
    for rival in request.rivals:
        if rival in text and _asserts(request, rival, text):
            return ["contradicts itself"]
    if request.kind == "plurals" and _other_form(request, text):
        return ["contradicts itself"]
    if _says_something_else(request, text):
        return ["another claim about the subject"]
    if all(_hedged(text, end, request.accepted) for _, end in spans):
        return ["leaves it open"]
    return []


def _is_contrast(request: Request, before: str) -> bool:
    """Whether the negation before the value denies the subject, as in "what is not hot is cold"."""
    clause = re.split(r"[.!?;:]", before)[-1]
    return request.kind == "opposites" and re.search(rf"\bnot {request.subject[0]}\b", clause) is not None


def _says_something_else(request: Request, text: str) -> bool:
    """Whether a sentence or a clause about the subject does without the right value."""
    value = re.compile(r"\b(" + "|".join(re.escape(value) for value in request.accepted) + r")\b")
    subject = rf"\b{re.escape(request.subject[0])}\b"
    for sentence in sentences(text):
        if sentence.endswith("?") or not re.search(subject, sentence):
            continue
        if re.search(_COPULA, sentence) and not value.search(sentence):
            return True
        clause = re.search(subject + r"[^.,;!?]*?\b(?:is|are|means|becomes|says|goes)\b ?([^.,;!?]+)", sentence)
        if clause and not value.search(clause[1]) and not value.search(sentence[: clause.start()]):
            return True
    return False


def _asserts(request: Request, rival: str, text: str) -> bool:
    word = rf"(?<![\w-]){re.escape(rival)}(?![\w-])"
    if request.kind in _DISTINCTIVE:
        # May is a month and an ordinary verb.
        return bool(re.search(word + (r"(?! (be|i|you|it)\b)" if rival == "may" else ""), text))
    if re.search(
        rf"(?:{_COPULA}) ?(?:an? |the |just |also |probably )*[\"']?{word}[\"']?(?= *([.,;!?]|or\b|and\b|$))", text
    ):
        return True
    if re.search(rf"{word} (?:is|are) (?:an? |the )?(?:opposite|antonym|plural|answer)", text):
        return True
    fillers = r"(?:\b(?:well|yes|of course|please|and|or|no|it|not)\b|[^\w])*"
    return any(re.fullmatch(rf"{fillers}{word}{fillers}", part) for part in re.split(r"[.!?;,]", text))


def _other_form(request: Request, text: str) -> bool:
    """Whether a plural that is not one stands beside the right one: childs next to children."""
    (noun,) = request.subject
    stem = noun[: max(2, len(noun) - 1)]
    forms = re.findall(rf"(?<![\w-]){re.escape(stem)}\w*", text)
    return any(form != noun and form not in request.accepted and form.endswith(("s", "i", "n")) for form in forms)


def _hedged(text: str, end: int, accepted: frozenset[str]) -> bool:
    """Whether the value that ends here is asked rather than said, or offered beside another."""
    same = "|".join(re.escape(value) for value in accepted)
    return bool(re.match(rf"[\"']? ?\?|[\"']?,? or (?!more\b)(?!(?:an? )?(?:{same})\b)", text[end:]))
