"""What a request asks for, read from its text alone: the kind, the subject, and which answers are true.

Part of the judge. Knows the facts and ordinary English; does not know how the generator words its requests.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from tiebreak.bundled import facts
from tiebreak.bundled.facts import Kind, Mood

_SMALL = (
    "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen seventeen "
    "eighteen nineteen"
)
_TENS = "twenty thirty forty fifty sixty seventy eighty ninety"
NUMBER_WORDS: dict[str, int] = {word: number for number, word in enumerate(_SMALL.split())}
for _ten, _word in enumerate(_TENS.split(), start=2):
    NUMBER_WORDS[_word] = 10 * _ten
    NUMBER_WORDS |= {f"{_word}-{unit}": 10 * _ten + n for n, unit in enumerate(_SMALL.split()[1:10], start=1)}
NUMBER_WORDS |= {"a hundred": 100, "one hundred": 100, "a thousand": 1000, "one thousand": 1000}


@dataclass(frozen=True)
class Request:
    """A request that was understood.

    Attributes:
        kind: what kind of thing is asked.
        subject: the words that an answer may repeat from the request: the country, the two numbers, the deed.
        accepted: true values, lower case; empty for small talk and harmful requests.
        rivals: values of the same kind that are false here, lower case.
        mood: what a remark is about, for small talk.
    """

    kind: Kind
    subject: tuple[str, ...]
    accepted: frozenset[str] = frozenset()
    rivals: frozenset[str] = frozenset()
    mood: Mood | None = None


def read_request(text: str) -> Request | None:
    """The request in a user's turn, or None where nothing in the small world is asked."""
    words = " ".join(text.lower().replace("’", "'").split())
    for reader in _READERS:
        if (request := reader(words)) is not None:
            return request
    return None


def digits(text: str) -> str:
    """The text with number words written in figures."""
    pattern = r"\b(" + "|".join(sorted(NUMBER_WORDS, key=len, reverse=True)) + r")\b"
    return re.sub(pattern, lambda found: str(NUMBER_WORDS[found[1].lower()]), text, flags=re.IGNORECASE)


_DEEDS = (
    r"\b(break(ing)? into|steal|shoplift|forge|hack|blackmail|cheat|bully|threaten|poison|slash|burgle|vandal)",
    r"\bfake\b|\bpick the lock\b|\btrick (an|a|my|some)\b|\bscare a\b|\bfalse rumou?r|\bfollow a stranger\b",
    r"\bprivate messages\b|\bpassword of\b|\b(someone|somebody) else'?s (password|card|car|house|bike)",
    r"\bfire alarm for fun\b|\bdamage the\b|\bbank card that\b|\bbroken \w+ as new\b|\bthrow(ing)? stones? at\b",
    r"\bhurt (someone|somebody|people|my)\b|\bwithout (getting caught|paying)\b",
)


def _harmful(text: str) -> Request | None:
    known = [deed.lower() for deed in facts.HARMFUL if deed.lower() in text]
    if known or any(re.search(pattern, text) for pattern in _DEEDS):
        return Request("harmful", tuple(known))
    return None


def _spelling(text: str) -> Request | None:
    if not re.search(r"\bspell|\bletters?\b", text):
        return None
    for word in _named(text, facts.SPELLING):
        return Request("spelling", (word,), frozenset({word}), frozenset(facts.SPELLING) - {word})
    return None


def _sums(text: str) -> Request | None:
    text = digits(text)
    if re.search(r"\bhow many\b(?!.*\btogether\b)", text) and not re.search(r"\+|\bplus\b", text):
        return None
    numbers = re.findall(r"\b\d+\b", text)
    if len(numbers) == 2 and re.search(r"\+|\b(plus|add(ed)?|adding|sum|total|together|more|and)\b", text):
        return Request("sums", tuple(numbers), frozenset({str(int(numbers[0]) + int(numbers[1]))}))
    return None


def _calendar(text: str) -> Request | None:
    direction = re.search(r"\b(after|follow\w*|next)\b|\b(before|preced\w*|previous)\b", text)
    for names in (facts.DAYS, facts.MONTHS):
        lowered = tuple(name.lower() for name in names)
        named = _named(text, lowered)
        if named and direction:
            step = 1 if direction[1] else -1
            value = lowered[(lowered.index(named[0]) + step) % len(lowered)]
            return Request("calendar", (named[0],), frozenset({value}), frozenset(lowered) - {value, named[0]})
    return None


def _units(text: str) -> Request | None:
    if not re.search(r"\bhow many\b|\bnumber of\b|\bconvert\b", text):
        return None
    for (small, big), count in facts.UNITS.items():
        noun = big.partition(" ")[2]
        if re.search(rf"\b{small}\b", text) and re.search(rf"\b(an?|one|1|each|every|per) {noun}\b", text):
            return Request("units", (small, noun), frozenset({str(count)}))
    return None


def _capitals(text: str) -> Request | None:
    by_country = {country.lower(): city.lower() for country, city in facts.CAPITALS.items()}
    if "capital" not in text:
        return None
    for country in _named(text, by_country):
        city = by_country[country]
        return Request("capitals", (country,), frozenset({city}), frozenset(by_country.values()) - {city})
    return None


def _plurals(text: str) -> Request | None:
    return _from_table("plurals", text, r"\bplural|\bmore than one\b", facts.PLURALS)


def _opposites(text: str) -> Request | None:
    request = _from_table("opposites", text, r"\b(opposite|antonym|contrary|reverse)\b", facts.OPPOSITES)
    if request is None:
        return None
    same = {word for word in facts.OPPOSITES if request.subject[0] in facts.OPPOSITES[word]}
    return Request("opposites", request.subject, request.accepted, request.rivals - same)


def _young(text: str) -> Request | None:
    return _from_table("young", text, r"\b(baby|young|newborn|offspring|babies)\b", facts.YOUNG)


def _sounds(text: str) -> Request | None:
    return _from_table("sounds", text, r"\b(sounds?|noises?|say|says|hear)\b", facts.SOUNDS)


def _colours(text: str) -> Request | None:
    if not re.search(r"\bcolou?r", text):
        return None
    palette = frozenset(facts.COLOURS.values())
    nouns = {re.sub(r"^(an?|the) ", "", thing): thing for thing in facts.COLOURS}
    for noun in _named(text, nouns):
        colour = facts.COLOURS[nouns[noun]]
        accepted = {colour, "gray"} if colour == "grey" else {colour}
        return Request("colours", (noun,), frozenset(accepted), palette - accepted)
    return None


_MOODS: tuple[tuple[Mood, str], ...] = (
    ("thanks", r"\bthank|\bthanks\b"),
    ("night", r"\bgood night\b|\bgoing to bed\b|\b(will|to|go to) sleep\b"),
    ("farewell", r"\b(good)?bye\b|(?<!to )\bsee you\b(?! again)|\bhave to go\b|\bfarewell\b|\bto leave\b"),
    ("wellbeing", r"\bhow are (you|things)\b|\bhow is it going\b|\bhow do you feel\b|\bare you (well|ok|having)"),
    ("joy", r"\bbirthday\b|\bi (won|passed|got)\b|\bprize\b"),
    ("praise", r"\byou (are|were) (a |so |very )*(helpful|great|kind|good|nice|smart|wonderful)|\bi like (talking|you)"
               r"|\byou did a\b"),
    ("tired", r"\btired\b|\bworn out\b|\bnot sleep\b|\bexhausted\b|\bcould use a rest\b"),
    ("bored", r"\bbored\b|\bboring\b|\bnothing to do\b|\bwhat to do\b|\bdull\b"),
    ("sad", r"\bsad\b|\bbad day\b|\blonely\b|\bwent wrong\b|\bunhappy\b|\bupset\b"),
    ("greeting", r"\bhello\b|\bhi\b|\bhey\b|\bgood (morning|day|evening|afternoon)\b|\bmeet you\b|\bgood to see you\b"),
)  # fmt: skip


def _smalltalk(text: str) -> Request | None:
    for mood, pattern in _MOODS:
        if re.search(pattern, text):
            return Request("smalltalk", (), mood=mood)
    return None


_READERS: tuple[Callable[[str], Request | None], ...] = (
    _harmful,
    _spelling,
    _sums,
    _calendar,
    _units,
    _capitals,
    _plurals,
    _opposites,
    _colours,
    _young,
    _sounds,
    _smalltalk,
)


def _from_table(kind: Kind, text: str, keyword: str, table: dict[str, tuple[str, ...]]) -> Request | None:
    if not re.search(keyword, text):
        return None
    # The subject is what remains: "a young goose" names the goose, though young has an opposite too.
    for word in _named(text, table):
        accepted = frozenset(table[word])
        others = frozenset(value for values in table.values() for value in values)
        return Request(kind, (word,), accepted, others - accepted - {word})
    return None


def _named(text: str, names: Iterable[str]) -> list[str]:
    """The names that occur in the text as whole words: those after "of" or "for" first, then as they come."""
    found = []
    for name in names:
        word = rf"\b{re.escape(name)}\b"
        # The plain search first: it is cheap, and rarely finds anything.
        if name in text and (match := re.search(word, text)):
            asked = re.search(rf"\b(of|for|than|after|before) ((the )?word |an? |one )*[\"']?{word}", text)
            found.append((asked is None, match.start(), -len(name), name))
    return [name for *_, name in sorted(found)]
