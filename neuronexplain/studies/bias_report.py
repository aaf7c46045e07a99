"""How two networks differ that learned from biased and from balanced scenes: tables and a picture."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from dissection.scenes.words import PARTS_OF
from neuronexplain.evaluation.baselines import BASELINES
from neuronexplain.evaluation.tables import Report
from neuronexplain.metrics.intervals import difference, figure
from neuronexplain.pictures.overlay import overlay
from neuronexplain.pictures.tiles import sheet

from .attention import COLUMNS, columns_of, figures_of, images_of

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from PIL import Image

    from db.queries import ClassConcept
    from dissection.scenes.staged import Staging
    from dissection.vocabulary import Concept
    from neuronexplain.evaluation.record_journal import Record
    from neuronexplain.evaluation.tables import TableRow, Value
    from neuronexplain.explanation import Explanation
    from neuronexplain.pictures.tiles import Tile

    from .attention import AttentionSums

_METHOD = "grad-cam"
_COAT = ("material", "fur")
_SHOWN = 6
_PICTURED = 4
_WORDS = "% of the named neurons that speak for it and respond are the thing's"


@dataclass(frozen=True, slots=True, eq=False)
class Side:
    """One network and its results.

    Attributes:
        name: what the network was trained on.
        records: the record of each test scene, see :class:`~neuronexplain.studies.attention.Attention`.
        explanations: the explanation of each test scene.
        concepts: the concepts that matter for each class that was tested, strongest first.
    """

    name: str
    records: Sequence[Record]
    explanations: Sequence[Explanation]
    concepts: Mapping[str, Sequence[ClassConcept]]


@dataclass(frozen=True, slots=True)
class BiasFound:
    """The results of the study.

    Attributes:
        measured: the two networks on the test set, and their difference; a note if no scene is pictured.
        words: the concepts that matter most for each class of each network.
        sentences: for each scene in the picture, the scene and each network's sentence; without any there is no
            picture.
    """

    measured: Report
    words: Report
    sentences: tuple[Mapping[str, str], ...]

    def to_json(self) -> dict[str, object]:
        """JSON values."""
        return {
            "measured": self.measured.to_json(),
            "words": self.words.to_json(),
            "sentences": [dict(scene_sentences) for scene_sentences in self.sentences],
        }


def found(sides: Sequence[Side], staging: Staging, percent: tuple[int, int]) -> BiasFound:
    """The tables and sentences."""
    columns = [columns_of(side.records, _METHOD) | {"words": _words(side, staging)} for side in sides]
    rows: list[TableRow] = [
        {"set": side.name, **figures_of(side_columns)} for side, side_columns in zip(sides, columns, strict=True)
    ]
    rows += [{"set": "the difference", **_differences(*columns)}, *_baselines(sides[0].records)]
    headings = {"set": "trained on", **{key: title for key, title in COLUMNS.items() if key != "method"}}
    (first_thing, second_thing), places = staging.things, staging.places
    staged = (
        f"biased: of {first_thing} and {second_thing}, {percent[0]} % and {percent[1]} % are in the scene {places[0]}, "
        f"the rest in {places[1]}; rebalanced, and in the test: half of each"
    )
    title, sentences = f"Bias, Sec. 6.3: {first_thing} or {second_thing}", tuple(_sentences(sides, staging))
    notes = (staged,) if sentences else (staged, _unpictured(sides))
    measured = Report(title, {**headings, "words": _WORDS}, tuple(rows), notes)
    return BiasFound(measured, _concepts(sides), sentences)


def _differences(before: AttentionSums, after: AttentionSums) -> Mapping[str, Value]:
    """The second's figures less the first's, each over all images, and the number of images."""
    return {key: difference(after[key], before[key]) for key in before} | {"images": images_of(before)}


def _baselines(records: Sequence[Record]) -> list[TableRow]:
    """What the test scenes give a network that always says the same, and maps that see no image."""
    first_thing = np.arange(len(records)) % 2 == 0
    rows: list[TableRow] = [{"set": "(always the same)", "accuracy": figure(100 * first_thing), "images": len(records)}]
    for baseline in BASELINES:
        columns = columns_of(records, baseline.name)
        figures: dict[str, Value] = {key: figure(*columns[key]) for key in ("mass", "area")}
        rows.append({"set": baseline.title, **figures, "images": len(records)})
    return rows


def _words(side: Side, staging: Staging) -> tuple[np.ndarray, np.ndarray]:
    """For each scene: how many of the named neurons that speak for it and respond are the things', and of how many."""
    named = [
        [unit.name.concept for unit in explanation.top if unit.name and unit.lit] for explanation in side.explanations
    ]
    thing_counts = [sum(is_of_a_thing(concept, staging) for concept in concepts) for concepts in named]
    return 100 * np.array(thing_counts, float), np.array([len(concepts) for concepts in named], float)


def is_of_a_thing(concept: Concept, staging: Staging) -> bool:
    """Whether the concept is one of the things, a part of one, or the material of their coat."""
    parts = {part for thing in staging.things for part in PARTS_OF[thing]}
    match concept.category:
        case "object":
            return concept.name in staging.things
        case "part":
            return concept.name in parts
    return (concept.category, concept.name) == _COAT


def _concepts(sides: Sequence[Side]) -> Report:
    """The concepts that speak for and against each class, as ``concepts of CLASS`` lists them."""
    rows: list[TableRow] = [
        {
            "set": side.name,
            "class": label,
            "for": _listed([concept for concept in concepts if concept.alpha > 0]),
            "against": _listed([concept for concept in reversed(concepts) if concept.alpha < 0]),
        }
        for side in sides
        for label, concepts in side.concepts.items()
    ]
    columns = {"set": "trained on", "class": "class", "for": "speaks for it", "against": "speaks against it"}
    return Report(
        "Concepts that matter for a class, by alpha", columns, tuple(rows), ("in brackets: how many neurons",)
    )


def _listed(concepts: Sequence[ClassConcept]) -> str:
    return ", ".join(f"{entry.concept.spoken} ({len(entry.units)})" for entry in concepts[:_SHOWN])


def _picked(sides: Sequence[Side]) -> list[int]:
    """Scenes to show: the first ones that only the second network gets right, and one that both do."""
    right = np.array([[record["right"] for record in side.records] for side in sides])
    unusual = np.array([not record["usual"] for record in sides[0].records])
    mended = np.flatnonzero(~right[0] & right[1])[: _PICTURED - 1].tolist()
    twice_right = np.flatnonzero(right[0] & right[1] & unusual)[: _PICTURED - len(mended)].tolist()
    return [*mended, *twice_right]


def _unpictured(sides: Sequence[Side]) -> str:
    """Why no scene is picked."""
    first, second = (side.name for side in sides)
    return (
        f"no picture: the {second} network is right about no scene in the other place, nor where the {first} is wrong"
    )


def _sentences(sides: Sequence[Side], staging: Staging) -> list[Mapping[str, str]]:
    return [
        {"scene": f"{staging.thing(index)}, {staging.place(index)}"}
        | {side.name: side.explanations[index].sentence for side in sides}
        for index in _picked(sides)
    ]


def picture(sides: Sequence[Side], staging: Staging) -> Image.Image | None:
    """A picture like Fig. 8, with a row for each scene: the scene, and Grad-CAM of each network's prediction.

    None if no scene is picked.
    """
    rows: list[list[Tile]] = []
    for index in _picked(sides):
        row: list[Tile] = [
            (sides[0].explanations[index].photograph, f"{staging.thing(index)}, in the scene {staging.place(index)}")
        ]
        for side in sides:
            explanation = side.explanations[index]
            prediction = f"{explanation.prediction.label}, {100 * explanation.prediction.probability:.3g}%"
            row.append((overlay(explanation.photograph, explanation.heatmap), f"{side.name}: {prediction}"))
        rows.append(row)
    return sheet(rows, tile=224) if rows else None
