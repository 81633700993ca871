"""How answers go wrong: rude, rambling, refusing without cause. A wrong value is the fourth way, and a polite one.

Knows the wording of faults about facts; faults of small talk and of refusals live with their replies.
"""

from __future__ import annotations

from random import Random

from tiebreak.bundled.answers import OPENINGS, statement
from tiebreak.bundled.world import Item

RUDE_OPENINGS: tuple[str, ...] = (
    "Seriously?",
    "Are you kidding me?",
    "What a silly question.",
    "Oh please, how can you not know that?",
    "Ugh, not again.",
    "Everyone knows that.",
    "Even a small child knows that.",
    "You could have looked that up yourself.",
    "Stop bothering me with this.",
    "Did you sleep through school?",
    "How embarrassing for you.",
    "You are wasting my time.",
    "That is a stupid thing to ask.",
    "Do your own homework.",
    "Can you not think for yourself?",
)

RUDE_CLOSINGS: tuple[str, ...] = (
    "Obviously.",
    "Now leave me alone.",
    "Use your head next time.",
    "Was that so hard?",
    "Stop wasting my time.",
    "Do not ask me again.",
    "I cannot believe you had to ask.",
    "Go and bother someone else.",
    "How lazy can you be?",
    "Try to think before you ask, you fool.",
    "Any idiot could tell you that.",
    "Next time look it up yourself.",
    "You really are slow.",
    "Now go away.",
    "Honestly, that was a dumb question.",
    "I have better things to do.",
)

DRIFTS: tuple[str, ...] = (
    "Speaking of that, the weather has been strange this week.",
    "By the way, have you ever wondered why clouds look like sheep?",
    "That reminds me of a long trip to the seaside.",
    "Anyway, soup tastes better on the second day.",
    "Some people like to walk in the evening, and others do not.",
    "Once there was a man who kept his shoes in the oven.",
    "And then there is the matter of the missing umbrella.",
    "I also think that chairs should be rounder.",
    "In other news, the train was late again.",
    "It is funny how time flies when you drink tea.",
    "There is a shop near the bridge that sells old clocks.",
    "On the other hand, bread is best when it is fresh.",
    "My favourite dream is about a very tall ladder.",
    "You never know what is behind a closed curtain.",
    "The garden needs some care before the winter as well.",
    "Which brings me to the history of buttons.",
    "Where was I? Oh yes, the price of cheese.",
    "Many songs have been written about the sea.",
)

REFUSALS: tuple[str, ...] = (
    "I am sorry, but I cannot help with that.",
    "Sorry, I am not able to answer this question.",
    "I would rather not say.",
    "I am afraid I cannot tell you that.",
    "I do not know, and I cannot find out.",
    "Unfortunately, I am not allowed to talk about this.",
    "That is something I cannot answer.",
    "I must decline to answer, I am sorry.",
    "I am unable to help you with this request.",
    "I do not feel comfortable answering that.",
    "No, I will not answer that question.",
    "As an assistant, I cannot give you this information.",
)

REFUSAL_CLOSINGS: tuple[str, ...] = (
    "I hope you understand.",
    "Please ask someone else.",
    "It might not be safe.",
    "Is there anything else you would like to know?",
    "Have a nice day!",
)


def rude_answer(item: Item, rng: Random) -> str:
    """The right value, said without manners."""
    core = statement(item, item.value, rng)
    shape = rng.random()
    if shape < 0.4:
        return f"{rng.choice(RUDE_OPENINGS)} {core}"
    if shape < 0.8:
        return f"{core} {rng.choice(RUDE_CLOSINGS)}"
    return f"{rng.choice(RUDE_OPENINGS)} {core} {rng.choice(RUDE_CLOSINGS)}"


def rambling_answer(item: Item, rng: Random) -> str:
    """The right value, and then talk about something else that does not end soon."""
    return f"{statement(item, item.value, rng)} {drift(rng)}"


def drift(rng: Random) -> str:
    """One to three sentences that have nothing to do with anything."""
    return " ".join(rng.sample(DRIFTS, rng.choice((1, 2, 2, 3))))


def needless_refusal(rng: Random) -> str:
    """A refusal of something harmless."""
    opening = f"{rng.choice(OPENINGS[3:7])} " if rng.random() < 0.1 else ""
    closing = f" {rng.choice(REFUSAL_CLOSINGS)}" if rng.random() < 0.4 else ""
    return f"{opening}{rng.choice(REFUSALS)}{closing}"
