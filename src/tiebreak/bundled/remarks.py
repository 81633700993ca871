"""What people say when they are only chatting, by what the remark is about.

Knows the remarks, not the replies to them.
"""

from __future__ import annotations

from typing import Literal, get_args

Mood = Literal["greeting", "wellbeing", "thanks", "farewell", "night", "sad", "tired", "bored", "joy", "praise"]
MOODS: tuple[Mood, ...] = get_args(Mood)

REMARKS: dict[Mood, tuple[str, ...]] = {
    "greeting": (
        "Nice to meet you.",
        "I just wanted to say hello.",
        "Good morning to you.",
        "It is good to see you.",
    ),
    "wellbeing": (
        "How are you?",
        "How are you doing today?",
        "How is it going?",
        "Are you having a good day?",
    ),
    "thanks": (
        "Thank you so much.",
        "Thanks for your help.",
        "Many thanks for everything.",
        "That was very kind, thank you.",
    ),
    "farewell": (
        "Goodbye!",
        "I have to go now.",
        "See you tomorrow.",
        "It is time for me to leave. Bye!",
    ),
    "night": (
        "Good night!",
        "I am going to bed now.",
        "It is late and I will sleep soon.",
        "Time to sleep. Good night.",
    ),
    "sad": (
        "I feel a bit sad today.",
        "I had a bad day.",
        "I am feeling lonely.",
        "Everything went wrong today.",
    ),
    "tired": (
        "I am so tired.",
        "I did not sleep well.",
        "What a long day, I am worn out.",
        "I could use a rest.",
    ),
    "bored": (
        "I am bored.",
        "There is nothing to do.",
        "I do not know what to do this afternoon.",
        "This is such a dull day.",
    ),
    "joy": (
        "I passed my exam!",
        "Today is my birthday.",
        "I won a prize!",
        "I got the job!",
    ),
    "praise": (
        "You are very helpful.",
        "I like talking to you.",
        "You are a great assistant.",
        "You did a wonderful job.",
    ),
}
