"""Checks sentences as `neuronexplain evaluate words` does, on images that named no neuron.

python scripts/truth.py               # the demo's network, on generated scenes
python scripts/truth.py --length 3    # the same with names of up to three concepts
python scripts/truth.py --data DATA   # SqueezeNet, on half of MSRC's photographs; see tests/test_photographs.py
python scripts/truth.py --data DATA --collection mini-broden   # on a third of those in Broden's layout
"""

from __future__ import annotations

import argparse
import tempfile
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from formulas import without_a_third
from squeezenet import open_squeezenet

from db import NameStore
from dissection.concepts.generated import write_scenes
from dissection.concepts.layouts import open_concepts
from dissection.concepts.wrappers import Selection
from dissection.execution.settings import Execution
from dissection.vocabulary import MIN_IMAGES, QUANTILE
from neuronexplain import Explainer, build, open_network
from neuronexplain.cli import console
from neuronexplain.cli.commands.demo import DEMO_QUANTILE, DEMO_SCENES
from neuronexplain.cli.evaluate.measuring import INTERVAL, say_report
from neuronexplain.evaluation.ground_truth.labelled_concepts import open_unseen
from neuronexplain.evaluation.protocols import Words
from neuronexplain.evaluation.runner import evaluate
from neuronexplain.evaluation.words.speakers import OfPredictions

if TYPE_CHECKING:
    from dissection.concepts.dataset import ConceptDataset
    from dissection.networks.network import Network
    from neuronexplain.evaluation.tables import Report

UNSEEN = 240
SEED = 2


def main() -> None:
    """Name neurons with some images, and print how true the sentences about others are."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, help="folder with SqueezeNet's weights and MSRC")
    parser.add_argument("--collection", choices=["msrc", "mini-broden"], default="msrc", help="its photographs")
    parser.add_argument("--length", type=int, default=1, help="concepts of the longest formula; 1 searches for none")
    arguments = parser.parse_args()
    data, length = arguments.data, arguments.length
    with tempfile.TemporaryDirectory() as scratch, console.progress() as progress:
        folder, execution = Path(scratch), Execution(progress=progress)
        naming = Naming(length, folder, execution)
        report = of_scenes(naming) if data is None else of_photographs(data, arguments.collection, naming)
    say_report(report, INTERVAL)


@dataclass(frozen=True)
class Naming:
    """How neurons are named: concepts of the longest formula, the folder that it is done in, and how it is run."""

    length: int
    folder: Path
    execution: Execution


def of_scenes(naming: Naming) -> Report:
    """Build as the demo does, and explain unseen scenes."""
    folder, execution = naming.folder, naming.execution
    for name, images, seed in (("named", DEMO_SCENES, 1), ("unseen", UNSEEN, SEED)):
        report_drawn = partial(execution.report, f"drawing {name} scenes", total=images)
        write_scenes(folder / name, images=images, seed=seed, progress=report_drawn)
    named, unseen = (open_concepts(folder / name) for name in ("named", "unseen"))
    return truth(open_network("scenes"), named, unseen, naming, quantile=DEMO_QUANTILE)


def of_photographs(data: Path, collection: str, naming: Naming) -> Report:
    """Name SqueezeNet's neurons with a random half of MSRC, or two thirds of a larger collection; explain the rest."""
    network, concepts = open_squeezenet(data), open_concepts(data / collection)
    if collection != "msrc":
        return truth(network, *without_a_third(concepts, 0)[0], naming, quantile=QUANTILE)
    order = np.random.default_rng(SEED).permutation(len(concepts)).tolist()
    named, unseen = (Selection(concepts, sorted(order[half::2])) for half in (0, 1))
    return truth(network, named, unseen, naming, quantile=QUANTILE, min_images=2)


def truth(
    network: Network,
    named: ConceptDataset,
    unseen: ConceptDataset,
    naming: Naming,
    *,
    quantile: float,
    min_images: int = MIN_IMAGES,
) -> Report:
    """How true the sentences about unseen images are, made of names that other images gave."""
    folder, execution = naming.folder, naming.execution
    with NameStore.create(folder / "names.db") as store:
        run = build(
            network,
            named,
            store,
            quantile=quantile,
            min_images=min_images,
            length=naming.length,
            execution=execution,
        ).run
        explainer = Explainer.from_store(network, store, run=run)
    ground = open_unseen(unseen, run.key.concepts).with_meanings(explainer.meanings.values())
    protocol = Words.over(ground, OfPredictions(explainer, SEED), run, seed=SEED)
    return evaluate(protocol, network, [], ground, folder, view="centre", execution=execution)


if __name__ == "__main__":
    main()
