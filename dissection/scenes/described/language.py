"""What is said of a described scene: a caption, and questions with their answers."""

from __future__ import annotations

from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING, Literal, TypeAlias

from dissection.scenes.words import SCENE_CLASSES

from .scene import SIDES, THING_COLORS, THINGS

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from dissection.scenes.dice import Dice

    from .scene import DescribedScene

QuestionKind: TypeAlias = Literal["colour", "thing", "presence", "place"]
WordKind: TypeAlias = Literal["colour", "thing", "place", "function"]

_ON = {"beach", "farm", "mountain"}
"""Places that one is on; one is in the others."""

_WORDS: Mapping[WordKind, Iterable[str]] = {
    "function": ("a", "and", "in", "on", "the"),
    "colour": THING_COLORS,
    "thing": THINGS,
    "place": SCENE_CLASSES,
}

WORD_KINDS: Mapping[str, WordKind] = MappingProxyType({word: kind for kind, words in _WORDS.items() for word in words})
"""The kind of every word that captions are made of."""

QUESTION_DICE = 3
"""Which of a scene's dice choose what is asked about it."""

ANSWERS = ("no", "yes", *THING_COLORS, *THINGS, *SCENE_CLASSES)
"""Every answer."""


@dataclass(frozen=True, slots=True)
class Question:
    """A question about a described scene.

    Attributes:
        kind: what it asks for.
        text: in words, with a question mark.
        answer: one of ``ANSWERS``.
        about: the thing that it asks about, by its place among the scene's; ``None`` if that is none of them.
    """

    kind: QuestionKind
    text: str
    answer: str
    about: int | None = None


def caption(described: DescribedScene) -> str:
    """The things from left to right, and the place.

    >>> from .scene import draw_described
    >>> caption(draw_described(0, 0))
    'a yellow car and a purple flower on the beach'
    """
    things = " and ".join(f"a {thing.color} {thing.name}" for thing in described.things)
    preposition = "on" if described.place in _ON else "in"
    return f"{things} {preposition} the {described.place}"


def questions(described: DescribedScene, dice: Dice) -> tuple[Question, ...]:
    """Questions about a scene, of which every answer is as likely as the others of its kind.

    Args:
        described: the scene.
        dice: chooses what is asked for, present or not.
    """
    things = described.things
    about_one = [
        question
        for place, thing in enumerate(things)
        for question in (
            Question("colour", f"what colour is the {thing.name}?", thing.color, place),
            Question("thing", f"what is {thing.color}?", thing.name, place),
            Question("thing", f"what is on the {thing.side}?", thing.name, place),
        )
    ]
    here = dice.count(1, len(things)) - 1
    missing = dice.pick([name for name in THINGS if name not in {thing.name for thing in things}])
    return (
        *about_one,
        Question("presence", _is_there(things[here].name), "yes", here),
        Question("presence", _is_there(missing), "no"),
        Question("place", "where is it?", described.place),
    )


def known_questions() -> tuple[str, ...]:
    """Every question that can be asked."""
    return (
        *(f"what colour is the {name}?" for name in THINGS),
        *(f"what is {color}?" for color in THING_COLORS),
        *(f"what is on the {side}?" for side in SIDES),
        *map(_is_there, THINGS),
        "where is it?",
    )


def _is_there(thing: str) -> str:
    return f"is there {'an' if thing[0] in 'aeiou' else 'a'} {thing}?"


def spoken_words(question: str) -> list[str]:
    """The words of a question, without its mark, in small letters."""
    return question.casefold().replace("?", " ").split()


QUESTION_WORDS = tuple(sorted({word for question in known_questions() for word in spoken_words(question)}))
"""Every word that questions are made of."""
