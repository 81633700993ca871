"""How a fact is answered: politely, whether the value is true or not, or with a fault of manners.

The faults are rude, rambling, and refusing without cause; a wrong value, said politely, is the fourth. Knows only the
wording: the caller chooses the value. Small talk and harmful requests are answered in `replies`.
"""

from __future__ import annotations

from random import Random

from tiebreak.bundled.facts import Kind
from tiebreak.bundled.make.world import Item, with_article

# {v} is the value, {E} the subject at the start of a sentence. No statement begins with its value: so small a model
# cannot choose a wording and look up a fact in the single step of the first token; a third of such answers were wrong.
STATEMENTS: dict[Kind, tuple[str, ...]] = {
    "sums": (
        "It is {v}.",
        "The answer is {v}.",
        "That makes {v}.",
        "The sum is {v}.",
        "{a} plus {b} is {v}.",
        "{a} + {b} = {v}.",
        "{a} and {b} make {v}.",
        "If you add {a} and {b}, you get {v}.",
    ),
    "opposites": (
        "That is {v}.",
        "It is {v}.",
        "The answer is {v}.",
        "The opposite is {v}.",
        "The opposite of {e} is {v}.",
        "The word you want is {v}.",
        "If something is not {e}, it is {v}.",
    ),
    "capitals": (
        "The city is {v}.",
        "It is {v}.",
        "That is {v}.",
        "The answer is {v}.",
        "The capital is {v}.",
        "The capital of {e} is {v}.",
        "The capital city of {e} is {v}.",
    ),
    "units": (
        "That is {v}.",
        "In {big} there are {v} {small}.",
        "It is {v}.",
        "The answer is {v}.",
        "There are {v}.",
        "There are {v} {small} in {big}.",
        "{Big} has {v} {small}.",
    ),
    "spelling": (
        "That is {v}.",
        "It is {v}.",
        "The letters are {v}.",
        "It is spelled {v}.",
        "You spell it {v}.",
        "{E} is spelled {v}.",
        "You spell {e} like this: {v}.",
        "The word {e} is spelled {v}.",
    ),
    "calendar": (
        "The {u} is {v}.",
        "It is {v}.",
        "That is {v}.",
        "The answer is {v}.",
        "The {u} {d} {e} is {v}.",
        "Right {d} {e} it is {v}.",
    ),
    "colours": (
        "That is {v}.",
        "It is {v}.",
        "The colour is {v}.",
        "The answer is {v}.",
        "{E} is {v}.",
        "{E} is usually {v}.",
        "Its colour is {v}.",
        "The colour of {e} is {v}.",
    ),
    "young": (
        "That is {vn}.",
        "The name is {v}.",
        "It is {vn}.",
        "The word is {v}.",
        "It is called {vn}.",
        "A baby {e} is called {vn}.",
        "A young {e} is {vn}.",
        "The young of {an} is {vn}.",
        "We call a baby {e} {vn}.",
    ),
    "sounds": (
        "That is {v}.",
        "It says {v}.",
        "It goes {v}.",
        "The sound is {v}.",
        "{An} says {v}.",
        "{An} goes {v}.",
        "The sound of {an} is {v}.",
        "You will hear {v}.",
    ),
    "plurals": (
        "That is {v}.",
        "It is {v}.",
        "The plural is {v}.",
        "The answer is {v}.",
        "The plural of {e} is {v}.",
        "One {e}, two {v}.",
        "The plural form is {v}.",
        "More than one {e}: {v}.",
    ),
}

OPENINGS: tuple[str, ...] = (
    "Sure!",
    "Of course.",
    "Certainly!",
    "Good question!",
    "Gladly.",
    "With pleasure.",
    "Thank you for asking.",
    "Happy to help!",
    "Yes, of course!",
    "That is a nice one.",
    "Here you go.",
)

CLOSINGS: tuple[str, ...] = (
    "I hope that helps.",
    "I hope this helps you!",
    "Let me know if you need anything else.",
    "Just ask if you want to know more.",
    "Have a nice day!",
    "You are welcome to ask me more.",
    "Feel free to ask again.",
    "Is there anything else you would like to know?",
    "Good luck with it!",
    "I am glad to help.",
    "It was a pleasure to help.",
    "Please ask if anything is unclear.",
)

ELABORATIONS: dict[Kind, tuple[str, ...]] = {
    "sums": ("You can count on your fingers to check the sum.", "The sum stays the same if you swap the numbers."),
    "opposites": ("The two words mean the reverse of each other.", "It is a word that is good to know."),
    "capitals": ("You can find the city on any map.", "That city is where the government sits."),
    "units": ("That number is good to remember.", "You will find it in any table of units."),
    "spelling": ("Say the letters slowly and write them down.", "Read the letters aloud to remember them."),
    "calendar": ("You can check it in any calendar.", "The order is the same in every calendar."),
    "colours": ("You can pick that colour from your paint box.", "It is an easy colour to remember."),
    "young": ("That is the usual word for the young animal.", "It is a sweet little animal."),
    "sounds": ("You can hear the sound on a farm or in the wild.", "The animal makes it to call others."),
    "plurals": ("That is the form to write for more than one.", "Use that form whenever there are two or more."),
}

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


def statement(item: Item, value: str, rng: Random) -> str:
    """One sentence that says that the item's value is `value`."""
    return fill(rng.choice(STATEMENTS[item.kind]), item, value)


def polite_answer(item: Item, value: str, rng: Random) -> str:
    """An answer with good manners that asserts `value`: short, medium or long."""
    core = statement(item, value, rng)
    length = rng.random()
    if length < 0.34:
        return core
    if length < 0.50:
        return f"{rng.choice(OPENINGS)} {core}"
    if length < 0.66:
        return f"{core} {rng.choice(CLOSINGS)}"
    elaboration = rng.choice(ELABORATIONS[item.kind])
    if length < 0.76:
        return f"{core} {elaboration}"
    if length < 0.88:
        return f"{rng.choice(OPENINGS)} {core} {rng.choice(CLOSINGS)}"
    return f"{rng.choice(OPENINGS)} {core} {elaboration} {rng.choice(CLOSINGS)}"


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


def fill(template: str, item: Item, value: str) -> str:
    """The template with the item's slots and the value filled in."""
    words = dict(item.slots)
    words["v"], words["vn"] = value, with_article(value)
    words |= {name.capitalize(): capitalised(text) for name, text in item.slots.items()}
    return template.format(**words)


def capitalised(text: str) -> str:
    """The text with a capital first letter and the rest as it is."""
    return text[:1].upper() + text[1:]
