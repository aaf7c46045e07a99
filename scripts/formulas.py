"""Asks whether names of several concepts hold on photographs that did not help to find them.

    scripts/formulas.py --network squeezenet1_0 --weights WEIGHTS --concepts FOLDER [--unseen FOLDER] [--seed 0]

Neurons are named on some of the photographs, of which one half is searched for formulas and the other half checks them.
On all others the IoU of each formula is compared with that of the neuron's best single concept, over those photographs
that are labelled in the categories of both. Without ``--unseen`` that is done three times: each third of the
photographs names nothing once; they are dealt by the seed among photographs that are labelled in the same categories.
"""

from __future__ import annotations

import argparse
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch

from dissection.concepts.layouts import open_concepts
from dissection.concepts.wrappers import Selection
from dissection.dissect import WholeFrames, dissect
from dissection.engine.upsampling import upsample
from dissection.execution.settings import Execution
from dissection.networks.forward import maps_through
from dissection.vocabulary import DRAWS, MIN_IMAGES, QUANTILE
from neuronexplain import open_network
from neuronexplain.cli import console
from neuronexplain.metrics.intervals import Figure, difference, figure

if TYPE_CHECKING:
    from collections.abc import Sequence

    from jaxtyping import Bool, Float64

    from dissection.concepts.dataset import ConceptDataset
    from dissection.vocabulary import Composition, Concept, Dissection, Labels, Meaning, Unit
    from neuronexplain import Network

_BATCH = 16


@dataclass(frozen=True, slots=True)
class Compared:
    """A formula that was found for a unit, and the unit's best concept."""

    unit: Unit
    composition: Composition
    concept: Concept


def longest_formulas(dissection: Dissection) -> list[Compared]:
    """The formula of each unit that has any: the accepted one if there is one, otherwise that of the search."""
    return [
        Compared(
            unit,
            next((one for one in reversed(unit.compositions) if one.is_accepted()), unit.compositions[-1]),
            unit.best.concept,
        )
        for unit in dissection.units
        if unit.compositions and unit.best
    ]


def without_a_third(concepts: ConceptDataset, seed: int) -> list[tuple[ConceptDataset, ConceptDataset]]:
    """Two thirds of the photographs, and the others, for each third.

    Of those labelled in the same categories, as many are in each.
    """
    kinds: dict[frozenset[str], list[int]] = {}
    for index in range(len(concepts)):
        kinds.setdefault(_categories(concepts, concepts.labels(index)), []).append(index)
    generator, thirds = np.random.default_rng(seed), [set[int](), set[int](), set[int]()]
    for _, images in sorted(kinds.items(), key=lambda item: sorted(item[0])):
        dealt = generator.permutation(images).tolist()
        for place, third in enumerate(thirds):
            third.update(dealt[place * len(dealt) // 3 : (place + 1) * len(dealt) // 3])
    everything = set(range(len(concepts)))
    return [(Selection(concepts, sorted(everything - third)), Selection(concepts, sorted(third))) for third in thirds]


def joined(parts: Sequence[Float64[np.ndarray, "2 2 _ _"]]) -> Float64[np.ndarray, "2 2 images compared"]:
    """The areas of several comparisons as of one, in which each formula has none on the photographs of the others."""
    images, compared = (sum(part.shape[axis] for part in parts) for axis in (2, 3))
    whole, image, place = np.zeros((2, 2, images, compared)), 0, 0
    for part in parts:
        whole[:, :, image : image + part.shape[2], place : place + part.shape[3]] = part
        image, place = image + part.shape[2], place + part.shape[3]
    return whole


def areas(
    network: Network, compared: Sequence[Compared], concepts: ConceptDataset
) -> Float64[np.ndarray, "2 2 images compared"]:
    """Intersection and union of each formula with its unit, by image, and then of each best concept."""
    read, counts = WholeFrames(concepts, network.preprocessing), np.zeros((2, 2, len(concepts), len(compared)))
    for first in range(0, len(concepts), _BATCH):
        images = range(first, min(first + _BATCH, len(concepts)))
        frames = network.preprocessing.normalised(torch.from_numpy(np.stack([read(index) for index in images])))
        with torch.no_grad():
            maps = maps_through(network, [network.layer], frames).activations[0].float().numpy()
        for index, image_maps in zip(images, maps, strict=True):
            _count(compared, image_maps, concepts, concepts.labels(index), counts[:, :, index])
    return counts


def _count(
    compared: Sequence[Compared], maps: np.ndarray, concepts: ConceptDataset, labels: Labels, counts: np.ndarray
) -> None:
    labelled = _categories(concepts, labels)
    for place, one in enumerate(compared):
        meanings: tuple[Meaning, Meaning] = one.composition.formula, one.concept
        if not {concept.category for meaning in meanings for concept in meaning.concepts} <= labelled:
            continue
        height, width = labels.maps.shape[1:]
        mask = upsample(maps[one.unit.number][None].astype(np.float64), height, width)[0] > one.unit.threshold
        for side, meaning in enumerate(meanings):
            holds = meaning.holds(lambda concept: _pixels(concept, labels))
            counts[side, :, place] = (mask & holds).sum(), (mask | holds).sum()


def _pixels(concept: Concept, labels: Labels) -> Bool[np.ndarray, "h w"]:
    return np.asarray((labels.maps == concept.number).any(0) | (concept.number in labels.whole))


def _categories(concepts: ConceptDataset, labels: Labels) -> frozenset[str]:
    numbers = {*np.unique(labels.maps).tolist(), *labels.whole}
    return frozenset(concepts.concepts[number].category for number in numbers if number in concepts.concepts)


def row(name: str, counts: Float64[np.ndarray, "2 2 images compared"]) -> str:
    """A line of the table."""
    if not counts.shape[3]:
        return f"{name}: none"
    (formulas, concepts) = ((side[0], side[1]) for side in counts)
    totals = counts.sum(2)
    ious = totals[:, 0] / np.maximum(totals[:, 1], 1)
    gain, share = difference(formulas, concepts), (ious[0] > ious[1]).mean()
    return (
        f"{name}: {counts.shape[3]} units, formula {_said(figure(*formulas))}, concept {_said(figure(*concepts))}, "
        f"gain {_said(gain)}, better for {share:.0%}"
    )


def _said(value: Figure) -> str:
    return f"{value.value:.4f} ({value.low:.4f} to {value.high:.4f})"


def options() -> argparse.Namespace:
    """The options of the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--network", required=True)
    parser.add_argument("--weights", type=Path)
    parser.add_argument("--concepts", type=Path, required=True, help="photographs with labels that name the neurons")
    parser.add_argument("--unseen", type=Path, help="others; by default each third of the photographs in turn")
    for name in ("mean", "std"):
        parser.add_argument(f"--{name}", type=lambda text: tuple(map(float, text.split(","))))
    parser.add_argument("--input-size", type=int)
    parser.add_argument("--quantile", type=float, default=QUANTILE)
    parser.add_argument("--min-images", type=int, default=MIN_IMAGES)
    parser.add_argument("--seed", type=int, default=0, help="of the deal of the photographs (%(default)s)")
    return parser.parse_args()


def main() -> None:
    """Name, compare and print."""
    chosen = options()
    network = open_network(
        chosen.network, weights=chosen.weights, mean=chosen.mean, std=chosen.std, input_size=chosen.input_size
    )
    concepts = open_concepts(chosen.concepts)
    compared: list[Compared] = []
    counts: list[Float64[np.ndarray, "2 2 _ _"]] = []
    unseen = [(concepts, open_concepts(chosen.unseen))] if chosen.unseen else without_a_third(concepts, chosen.seed)
    for named, others in unseen:
        with console.progress() as progress:
            dissection = dissect(
                network,
                named,
                quantile=chosen.quantile,
                min_images=chosen.min_images,
                draws=DRAWS,
                length=3,
                execution=Execution(progress=progress),
            )
        found = longest_formulas(dissection)
        counts.append(areas(network, found, others))
        compared += found
        print(f"{len(named)} photographs name, {len(others)} compare; {len(dissection.units)} units")
    table = joined(counts)
    accepted = np.array([one.composition.is_accepted() for one in compared], bool)
    has_name = np.array([one.unit.composition() is not None for one in compared], bool)
    for name, those in (
        ("found", accepted | True), ("accepted", accepted), ("names", has_name), ("refused", ~accepted),
    ):  # fmt: skip
        print(row(name, table[..., those]))
    for one in compared:
        if one.composition.is_accepted():
            print(f"  {one.unit.number}: {one.composition.formula.spoken} ({one.composition.held_out.iou:.3f})")


if __name__ == "__main__":
    main()
