"""easy-VQA (Victor Zhou, 2019): questions about pictures of one shape each, read from the package of that name.

A picture has 64 x 64 pixels: a circle, rectangle or triangle in one of eight colours, on a background that is nearly
white. The package says what is asked and what is right, but not where the shape is: :func:`shape_mask` sees that.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np
from PIL import Image

from dissection.errors import ConceptDataError

if TYPE_CHECKING:
    from jaxtyping import Bool, UInt8

SHAPES = ("circle", "rectangle", "triangle")
COLOURS = ("black", "blue", "brown", "gray", "green", "red", "teal", "yellow")
ANSWERS = (*SHAPES, *COLOURS, "yes", "no")

Part = Literal["train", "test"]
Kind = Literal["shape", "colour", "yes/no"]
KINDS: tuple[Kind, ...] = ("shape", "colour", "yes/no")


@dataclass(frozen=True, slots=True)
class Question:
    """A question about a picture.

    Attributes:
        text: such as "is there not a red shape?".
        answer: the right answer.
        picture: the number of the picture in its part of the data.
    """

    text: str
    answer: str
    picture: int

    @property
    def kind(self) -> Kind:
        """What it asks for."""
        if self.answer in SHAPES:
            return "shape"
        return "colour" if self.answer in COLOURS else "yes/no"

    @property
    def is_thing_there(self) -> bool:
        """Whether the picture shows what the question speaks of."""
        is_negated = bool({"no", "not"} & set(self.text.split()))
        return self.kind != "yes/no" or (self.answer == "yes") != is_negated

    @property
    def shown(self) -> frozenset[str]:
        """Shape and colour of the picture's shape, as far as the question and its answer give them away."""
        words = {self.answer, *(self.text.removesuffix("?").split() if self.is_thing_there else ())}
        return frozenset(words & {*SHAPES, *COLOURS})


@dataclass(frozen=True, slots=True, eq=False)
class AskedPictures:
    """Pictures, and what is asked about them.

    Attributes:
        questions: the questions, those about a picture one after the other.
        pictures: the pictures by number.
    """

    questions: tuple[Question, ...]
    pictures: UInt8[np.ndarray, "pictures 64 64 3"]


def read_part(part: Part, *, pictures: int | None = None) -> AskedPictures:
    """A part of the data, or its first pictures.

    Raises:
        ConceptDataError: if the package is not installed.
    """
    try:
        import easy_vqa  # noqa: PLC0415 -- of the test extra: whoever only asks the answerer does without
    except ImportError as error:
        raise ConceptDataError("the package easy-vqa is needed for its questions; pip install easy-vqa") from error
    ask, paths = {
        "train": (easy_vqa.get_train_questions, easy_vqa.get_train_image_paths),
        "test": (easy_vqa.get_test_questions, easy_vqa.get_test_image_paths),
    }[part]
    files = [path for _, path in sorted(paths().items())][:pictures]
    questions = tuple(Question(*question) for question in zip(*ask(), strict=True) if question[2] < len(files))
    return AskedPictures(questions, np.stack([read_picture(file) for file in files]))


def read_picture(path: str) -> UInt8[np.ndarray, "64 64 3"]:
    """The pixels of a picture."""
    with Image.open(path) as picture:
        return np.asarray(picture.convert("RGB"))


def shape_mask(picture: UInt8[np.ndarray, "h w 3"]) -> Bool[np.ndarray, "h w"]:
    """The pixels that a shape covers by at least a half, if it has one colour and so has the background.

    The background is the commonest colour, and the shape's is the one farthest from it. A pixel at the edge is a
    mixture of both: how far it lies on the way from one to the other is how much of it is covered.
    """
    colours, pixels = np.unique(picture.reshape(-1, 3).astype(np.float64), axis=0, return_counts=True)
    ways = colours - colours[pixels.argmax()]
    way = ways[(ways**2).sum(1).argmax()]
    covered: Bool[np.ndarray, "h w"] = (picture - colours[pixels.argmax()]) @ way >= 0.5 * (way @ way)
    return covered & bool(way.any())
