"""What features of a layer reach beside its neurons: how true the sentences are that are made of them.

    python scripts/dictionaries.py FIGURES              # the network of the scenes
    python scripts/dictionaries.py FIGURES --choose     # the same over the scenes that choices are made on
    python scripts/dictionaries.py FIGURES --data DATA  # SqueezeNet; needs photographs, see tests/test_photographs.py

Dictionaries are learned from one set of scenes, their features are named by a second, and sentences are judged on a
third. What can be chosen is chosen on a fourth. The same command resumes.
"""

from __future__ import annotations

import argparse
from dataclasses import dataclass
from functools import cached_property, partial
from itertools import combinations
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch
from sklearn.decomposition import NMF
from squeezenet import open_squeezenet

from db import NameStore
from dissection.concepts.generated import write_scenes
from dissection.concepts.layouts import open_concepts
from dissection.concepts.wrappers import Selection
from dissection.execution.settings import Execution
from dissection.images.photographs import open_photograph
from dissection.learning.checking import check_dictionary, likeness
from dissection.learning.directions import learn_directions
from dissection.learning.positions import gather_positions
from dissection.learning.sparse import learn_sparse
from dissection.networks.dictionaries.applying import with_dictionary
from dissection.networks.dictionaries.dictionary import Dictionary
from dissection.vocabulary import QUANTILE
from neuronexplain import Explainer, build, open_network
from neuronexplain.cli import console
from neuronexplain.cli.commands.demo import DEMO_QUANTILE
from neuronexplain.evaluation.ground_truth.labelled_concepts import open_unseen
from neuronexplain.evaluation.protocols import Words
from neuronexplain.evaluation.record_journal import read_records
from neuronexplain.evaluation.runner import evaluate
from neuronexplain.evaluation.tables import shown
from neuronexplain.evaluation.words.records import SentenceRecord
from neuronexplain.evaluation.words.speakers import OfPredictions
from neuronexplain.metrics.intervals import difference
from neuronexplain.vocabulary import Rules

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from jaxtyping import Float32
    from PIL import Image

    from dissection.concepts.dataset import ConceptDataset
    from dissection.execution.settings import Progress
    from dissection.learning.positions import Positions
    from dissection.networks.network import Network
    from dissection.vocabulary import Concept
    from neuronexplain.evaluation.tables import Report
    from neuronexplain.metrics.intervals import Figure

NAMED, LEARNED, CHOSEN, JUDGED = (
    ("named", 400, 8001),
    ("learned", 400, 8002),
    ("chosen", 240, 8003),
    ("judged", 240, 8004),
)
"""Sets of scenes: what for, how many, and their seed."""

SEEDS = (0, 1, 2)
"""Of the autoencoders."""

ROWS = {
    "responds-true": "X responds: X is there, %",
    "spoken": "images with such a word, %",
    "mentions": "such words in a sentence",
    "absent-true": "there is no X: X is not there, %",
    "responds-sign": "the score falls without what speaks for it, %",
    "against-sign": "it rises without what speaks against it, %",
    "absent-sign": "it falls with what is absent switched on, %",
    "missed-sign": "it rises with what is silent switched on, %",
    "area": "lit area that lies on X, %",
}
"""The rows of `evaluate words` that are compared."""

FEATURES, K, STEPS = 192, 8, 6000
"""Of the autoencoders of the scenes' network."""

PHOTOGRAPH_FEATURES, PHOTOGRAPH_K, PHOTOGRAPH_STEPS = 1024, 32, 1500
"""Of that of SqueezeNet."""

_PARTS_FROM = 20_000
"""Places that the parts of NMF are learned from."""


@dataclass(frozen=True)
class Lessons:
    """What dictionaries of a network are learned from.

    Attributes:
        network: the network.
        photographs: the photographs; with labels, if directions of concepts are learned.
        progress: shows how far things are.
    """

    network: Network
    photographs: ConceptDataset
    progress: Progress

    @cached_property
    def positions(self) -> Positions:
        """Places of the layer's maps, with labels."""
        numbers = sorted(self.photographs.concepts)
        execution = Execution(progress=self.progress)
        return gather_positions(self.network, self.photographs, execution, concepts=numbers)

    def rotation(self) -> Dictionary:
        """As many directions at random, at right angles."""
        units = self.network.layer.units
        matrix = torch.randn(units, units, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
        rotated = torch.linalg.qr(matrix)[0].float()
        return Dictionary(rotated, torch.zeros(units), rotated.T, torch.zeros(units), "signed-topk", units)

    def parts(self) -> Dictionary:
        """As many parts as neurons, by non-negative matrix factorisation."""
        return non_negative_parts(self.positions.activations[:: len(self.positions.activations) // _PARTS_FROM])

    def sparse(self, *, seed: int, features: int, k: int, steps: int) -> Dictionary:
        """A TopK autoencoder."""
        progress = partial(self.progress, f"learning features, seed {seed}")
        return learn_sparse(
            self.positions.activations, features=features, k=k, steps=steps, seed=seed, progress=progress
        )

    def directions(self) -> Dictionary:
        """Directions of labelled concepts."""
        return learn_directions(self.positions, progress=partial(self.progress, "learning directions"))[0]


def non_negative_parts(activations: Float32[np.ndarray, "positions units"]) -> Dictionary:
    """Parts that add up to what a layer's units are at each place, none of them and no unit below 0.

    More parts than units could not be told apart by a linear encoder, which is what a dictionary has: the ReLU of the
    least squares from units to the codes that the factorisation finds.
    """
    units = activations.shape[1]
    model = NMF(units, init="nndsvda", max_iter=200, random_state=0)
    codes = model.fit_transform(activations)
    with_bias = np.hstack([activations, np.ones((len(activations), 1), np.float32)])
    solution = torch.from_numpy(np.linalg.lstsq(with_bias, codes, rcond=None)[0]).float()
    decoder = torch.from_numpy(model.components_).float()
    return Dictionary(solution[:-1], solution[-1], decoder, torch.zeros(units))


@dataclass(frozen=True, slots=True)
class Comparison:
    """Kinds of units that are compared.

    Attributes:
        network: the network.
        named: names the units.
        judged: judges the sentences.
        quantile: quantile of the builds.
        out: folder for what is made.
        progress: shows how far things are.
    """

    network: Network
    named: ConceptDataset
    judged: ConceptDataset
    quantile: float
    out: Path
    progress: Progress

    def dictionary(self, name: str, learn: Callable[[], Dictionary]) -> Dictionary:
        """A dictionary that is learned once."""
        path = self.out.parent / "dictionaries" / f"{name}.pt"
        if not path.exists():
            path.parent.mkdir(parents=True, exist_ok=True)
            learned = learn()
            torch.save({**learned.tensors, "activation": learned.activation, "k": learned.k}, path)
        return Dictionary(**torch.load(path, weights_only=True))

    def report(self, name: str, dictionary: Dictionary | None) -> Report:
        """How true sentences are."""
        folder = self.out / name
        folder.mkdir(parents=True, exist_ok=True)
        network = self.network if dictionary is None else with_dictionary(self.network, dictionary)
        execution = Execution(progress=self.progress)
        if not (folder / "names.db").exists():
            with NameStore.create(folder / "unfinished.db") as store:
                build(network, self.named, store, quantile=self.quantile, execution=execution)
            (folder / "unfinished.db").rename(folder / "names.db")
        with NameStore.open(folder / "names.db") as store:
            run = store.newest()
            explainer = Explainer.from_store(network, store, run=run, rules=Rules(rank_by="contribution"))
        ground = open_unseen(self.judged, run.key.concepts)
        protocol = Words.over(ground, OfPredictions(explainer, 2), run, seed=2)
        return evaluate(protocol, network, [], ground, folder, view="centre", execution=execution)

    def advantage(self, name: str, other: str) -> Figure:
        """By how many points more of what responds is there than with other units, over the same images."""
        return difference(self._there(name), self._there(other))

    def _there(self, name: str) -> tuple[list[float], list[float]]:
        """Of each image: 100 times how many concepts that respond are there, and how many do."""
        records = map(SentenceRecord.from_json, read_records(self.out / name / "words.jsonl"))
        mentions = [record.judged("responds") for record in records]
        return [100.0 * sum(bool(one.is_there) for one in some) for some in mentions], [
            float(len(some)) for some in mentions
        ]


class Photographs:
    """Photographs without labels.

    Args:
        paths: their files.
    """

    name = "photographs"
    concepts: Mapping[int, Concept] = {}
    categories: Sequence[str] = ()

    def __init__(self, paths: Sequence[Path]) -> None:
        self._paths = paths

    def __len__(self) -> int:
        return len(self._paths)

    def image_name(self, index: int) -> str:
        """The file's name."""
        return self._paths[index].name

    def photograph(self, index: int) -> Image.Image:
        """The photograph."""
        return open_photograph(self._paths[index])


def scenes(out: Path, which: tuple[str, int, int], progress: Progress) -> ConceptDataset:
    """A set of scenes, drawn once."""
    name, images, seed = which
    if not (out / name).exists():
        write_scenes(
            out / name, images=images, seed=seed, progress=lambda done: progress(f"drawing {name}", done, images)
        )
    return open_concepts(out / name)


def of_scenes(out: Path, judged: tuple[str, int, int], progress: Progress) -> None:
    """Compare kinds of units of the network of the scenes."""
    network = open_network("scenes")
    lessons = Lessons(network, scenes(out, LEARNED, progress), progress)
    judging = scenes(out, judged, progress)
    comparison = Comparison(
        network, scenes(out, NAMED, progress), judging, DEMO_QUANTILE, out / f"by-{judged[0]}", progress
    )
    sparse = {
        f"TopK, seed {seed}": partial(lessons.sparse, seed=seed, features=FEATURES, k=K, steps=STEPS) for seed in SEEDS
    }
    kinds = {"a random rotation": lessons.rotation, "NMF": lessons.parts, **sparse, "directions": lessons.directions}
    compare(comparison, kinds)


def of_photographs(out: Path, data: Path, progress: Progress) -> None:
    """Compare neurons and features of SqueezeNet: names by half of MSRC's photographs, sentences about the others."""
    network = open_squeezenet(data)
    places = ("imagenet/*/*", "flickr-captions/images/*", "coco-panoptic/train2017/*.jpg")
    lessons = Lessons(network, Photographs([path for place in places for path in sorted(data.glob(place))]), progress)
    msrc = open_concepts(data / "msrc")
    named, judged = (Selection(msrc, range(first, len(msrc), 2)) for first in (0, 1))
    comparison = Comparison(network, named, judged, QUANTILE, out, progress)
    compare(
        comparison,
        {"TopK": partial(lessons.sparse, seed=0, features=PHOTOGRAPH_FEATURES, k=PHOTOGRAPH_K, steps=PHOTOGRAPH_STEPS)},
    )


def compare(comparison: Comparison, kinds: Mapping[str, Callable[[], Dictionary]]) -> None:
    """Print what sentences of each kind reach, what each dictionary holds, and how alike those of seeds are."""
    columns = {"neurons": _figures(comparison.report("neurons", None))}
    dictionaries: dict[str, Dictionary] = {}
    for name, learn in kinds.items():
        dictionaries[name] = comparison.dictionary(name, learn)
        columns[name] = _figures(comparison.report(name, dictionaries[name]))
    console.say(f"| | {' | '.join(columns)} |")
    console.say(f"|{'---|' * (len(columns) + 1)}")
    for key, words in ROWS.items():
        console.say(f"| {words} | {' | '.join(column.get(key, '') for column in columns.values())} |")
    more = ["", *(shown(comparison.advantage(name, "neurons")) for name in dictionaries)]
    console.say(f"| more of it than with neurons, points | {' | '.join(more)} |")
    for name, dictionary in dictionaries.items():
        check = check_dictionary(comparison.network, dictionary, comparison.judged, Execution())
        console.say(
            f"{name}: {check.features} features, R2 {check.r2:.3f}, {check.active:.1f} at a place, {check.dead} at "
            f"none, {check.agreement:.1%} of predictions stay"
        )
    for (name, one), (other_name, other) in combinations(dictionaries.items(), 2):
        if one.activation == other.activation == "topk":
            alike = likeness(one, other)
            console.say(f"{name} and {other_name}: cosine {alike.cosine:.2f}, {alike.alike:.0%} alike")


def _figures(report: Report) -> dict[str, str]:
    return {str(row["key"]): shown(row["value"]) for row in report.rows}


def main() -> None:
    """Draw, learn, name, judge, compare."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("out", type=Path, metavar="FIGURES")
    parser.add_argument("--choose", action="store_true", help="judge over the scenes that choices are made on")
    parser.add_argument("--data", type=Path, help="folder with SqueezeNet's weights, MSRC and other photographs")
    options = parser.parse_args()
    with console.progress() as progress:
        if options.data is not None:
            of_photographs(options.out / "photographs", options.data, progress)
        else:
            of_scenes(options.out, CHOSEN if options.choose else JUDGED, progress)


if __name__ == "__main__":
    main()
