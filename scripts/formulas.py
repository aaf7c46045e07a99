"""Asks whether names of several concepts hold on photographs that did not help to find them.

    scripts/formulas.py --network squeezenet1_0 --weights WEIGHTS --concepts FOLDER [--unseen FOLDER] [--seed 0]

Neurons are named on some of the photographs, of which one half is searched for formulas and the other half checks them.
On all others the IoU of each formula is compared with that of the neuron's best single concept, over those photographs
that are labelled in the categories of both. Without ``--unseen`` a third of the photographs are the others, dealt by
the seed among photographs that are labelled in the same categories.
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
from dissection.vocabulary import DRAWS, MIN_IMAGES, QUANTILE, Formula
from neuronexplain import open_network
from neuronexplain.cli import console
from neuronexplain.metrics.intervals import Figure, difference, figure

if TYPE_CHECKING:
    from collections.abc import Sequence

    from jaxtyping import Bool, Float64

    from dissection.concepts.dataset import ConceptDataset
    from dissection.vocabulary import Composition, Concept, Dissection, Labels, Unit
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


def parts(concepts: ConceptDataset, seed: int) -> tuple[ConceptDataset, ConceptDataset]:
    """Two thirds of the photographs, and the others; of those labelled in the same categories, as many in each."""
    kinds: dict[frozenset[str], list[int]] = {}
    for index in range(len(concepts)):
        kinds.setdefault(_categories(concepts, concepts.labels(index)), []).append(index)
    generator, unseen = np.random.default_rng(seed), set[int]()
    for _, images in sorted(kinds.items(), key=lambda item: sorted(item[0])):
        unseen |= set(generator.permutation(images)[: len(images) // 3].tolist())
    everything = range(len(concepts))
    named = [index for index in everything if index not in unseen]
    return Selection(concepts, named), Selection(concepts, sorted(unseen))


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
        formulas = one.composition.formula, Formula(one.concept, ())
        if not {concept.category for formula in formulas for concept in formula.concepts} <= labelled:
            continue
        height, width = labels.maps.shape[1:]
        mask = upsample(maps[one.unit.number][None].astype(np.float64), height, width)[0] > one.unit.threshold
        for side, formula in enumerate(formulas):
            holds = _holds(formula, labels)
            counts[side, :, place] = (mask & holds).sum(), (mask | holds).sum()


def _holds(formula: Formula, labels: Labels) -> Bool[np.ndarray, "h w"]:
    holds = _pixels(formula.first, labels)
    for operator, concept in formula.steps:
        other = _pixels(concept, labels)
        holds = {"or": holds | other, "and": holds & other, "and not": holds & ~other}[operator]
    return holds


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
    parser.add_argument("--unseen", type=Path, help="others; by default a third of the photographs")
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
    named, unseen = (concepts, open_concepts(chosen.unseen)) if chosen.unseen else parts(concepts, chosen.seed)
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
    compared = longest_formulas(dissection)
    counts = areas(network, compared, unseen)
    accepted = np.array([one.composition.is_accepted() for one in compared], bool)
    has_name = np.array([one.unit.composition() is not None for one in compared], bool)
    print(f"{len(named)} photographs name, {len(unseen)} compare; {len(dissection.units)} units")
    for name, those in (
        ("found", accepted | True), ("accepted", accepted), ("names", has_name), ("refused", ~accepted),
    ):  # fmt: skip
        print(row(name, counts[..., those]))
    for one in compared:
        if one.composition.is_accepted():
            print(f"  {one.unit.number}: {one.composition.formula.spoken} ({one.composition.held_out.iou:.3f})")


if __name__ == "__main__":
    main()
