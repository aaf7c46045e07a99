"""Whether the maps of answers are on the shape that is asked about: the pointing game (Sec. 4.3, 8.1), and energy."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch
from accuracy import by_picture
from answerer import PREPROCESSING
from questions import shape_mask

from neuronexplain.evaluation.tables import Report
from neuronexplain.methods import METHODS, Method
from neuronexplain.methods.gradcam import like_images
from neuronexplain.methods.trace import traced
from neuronexplain.metrics.intervals import figure
from neuronexplain.metrics.pointing_game import is_hit

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from jaxtyping import Bool, Float, Float64, Int64
    from questions import AskedPictures, Question
    from torch import Tensor

    from dissection.execution.settings import Progress
    from neuronexplain import Network
    from neuronexplain.evaluation.tables import TableRow
    from neuronexplain.methods import Target


def _mean_activation(
    network: Network, images: Float[Tensor, "images channels H W"], target: Target
) -> Float[Tensor, "images 1 H W"]:
    return like_images(traced(network, images, target).activation.detach().mean(1), images)


_MEAN_ACTIVATION = Method(
    "mean-activation",
    "(mean activation)",
    "where units respond, whatever is asked",
    "a baseline",
    "heat",
    _mean_activation,
)
"""The mean of the layer's maps: what a map shows that knows the picture and not the question."""

_AT_ONCE = 250

ABOUT = {
    "shape": "its shape",
    "colour": "its colour",
    "there": "yes or no, of what is there",
    "absent": "yes or no, of what is not",
}
"""What questions are about, in words."""

_COLUMNS = {
    "about": "asked for",
    "questions": "questions",
    "map": "map of the answer",
    "hit": "maximum inside, %",
    "hit_times": "times the area",
    "energy": "energy inside, %",
    "energy_times": "times the area",
}


@dataclass(frozen=True, slots=True)
class Source:
    """Where maps come from.

    Attributes:
        title: its name for readers.
        networks: the network that is explained, or several whose figures are averaged.
        method: the method that explains them.
    """

    title: str
    networks: Sequence[Network]
    method: Method

    def aims(
        self,
        text: str,
        images: Float[Tensor, "images 3 64 64"],
        said: Int64[Tensor, " images"],
        masks: Bool[np.ndarray, "images 64 64"],
    ) -> Float64[np.ndarray, "2 images"]:
        """For answers to a question about images: whether a map's maximum is inside the mask, and its energy there."""
        of_networks = []
        for network in self.networks:
            maps = self.method.maps(network.asked(text), images, said).numpy()
            of_networks.append([aim(values, mask) for values, mask in zip(maps, masks, strict=True)])
        return np.mean(np.array(of_networks, np.float64), 0).T


def report_pointing(
    network: Network, untrained: Sequence[Network], data: AskedPictures, *, progress: Progress | None = None
) -> Report:
    """How maps of the answers that a network gives are aimed at the shape, with intervals over pictures.

    Args:
        network: the network.
        untrained: the same with other random weights, which have learnt nothing: maps of the same answers as a control.
        data: pictures and questions; all are asked.
        progress: called with the number of questions done so far.
    """
    shown = (METHODS["grad-cam"], METHODS["guided-backprop"], _MEAN_ACTIVATION)
    sources = [
        *(Source(method.title, [network], method) for method in shown),
        Source("(Grad-CAM, untrained)", untrained, METHODS["grad-cam"]),
    ]
    masks = np.stack([shape_mask(picture) for picture in data.pictures])
    aims = np.empty((len(sources), 2, len(data.questions)))
    done = 0
    for numbers in _by_text(data.questions):
        text, pictures = data.questions[numbers[0]].text, [data.questions[number].picture for number in numbers]
        images = PREPROCESSING.normalised(torch.from_numpy(data.pictures[pictures]))
        said = _said(network.asked(text), images)
        for row, source in enumerate(sources):
            aims[row][:, numbers] = source.aims(text, images, said, masks[pictures])
        done += len(numbers)
        if progress is not None:
            progress("questions", done, len(data.questions))
    areas = masks.mean((1, 2))[[question.picture for question in data.questions]]
    rows = [
        {"about": title, "map": source.title, **_figures(data, subject, *of_source, areas)}
        for subject, title in ABOUT.items()
        for source, of_source in zip(sources, aims, strict=True)
    ]
    note = "the area is the shape's share of the picture, which a map that knows nothing is expected to reach"
    return Report(f"Maps of the answers about {len(data.pictures)} pictures", _COLUMNS, tuple(rows), (note,))


def aim(values: Float[np.ndarray, "h w"], mask: Bool[np.ndarray, "h w"]) -> tuple[bool, float]:
    """Whether a map's maximum is inside a mask, and the share of its sum; a map of zeros has neither.

    The map must be nowhere negative.
    """
    total = values.sum(dtype=np.float64)
    return is_hit(values, mask), float(values[mask].sum(dtype=np.float64) / total) if total else 0.0


def about(question: Question) -> str:
    """Which of :data:`ABOUT` a question is about."""
    if question.kind == "yes/no":
        return "there" if question.is_thing_there else "absent"
    return question.kind


def _by_text(questions: Sequence[Question]) -> Iterator[list[int]]:
    """The numbers of the questions, those with the same words together."""
    numbers: defaultdict[str, list[int]] = defaultdict(list)
    for number, question in enumerate(questions):
        numbers[question.text].append(number)
    for same in numbers.values():
        yield from (same[start : start + _AT_ONCE] for start in range(0, len(same), _AT_ONCE))


def _said(asked: Network, images: Float[Tensor, "images 3 64 64"]) -> Int64[Tensor, " images"]:
    """The answers to one question, by number."""
    with torch.no_grad():
        scores: Tensor = asked.module(images)
    return scores.argmax(1)


def _figures(
    data: AskedPictures,
    subject: str,
    hits: Float64[np.ndarray, " questions"],
    energies: Float64[np.ndarray, " questions"],
    areas: Float64[np.ndarray, " questions"],
) -> TableRow:
    """The figures of a map over the questions about one subject."""
    is_counted = np.array([about(question) == subject for question in data.questions])
    questions, hit, energy, area = (
        by_picture(is_counted * values, data) for values in (np.ones(len(hits)), hits, energies, areas)
    )
    return {
        "questions": int(questions.sum()),
        "hit": figure(100 * hit, questions),
        "hit_times": figure(hit, area),
        "energy": figure(100 * energy, questions),
        "energy_times": figure(energy, area),
    }
