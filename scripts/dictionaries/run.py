"""What features of a layer reach beside its neurons: how true the sentences are that are made of them.

    python scripts/dictionaries/run.py FIGURES              # network of the scenes
    python scripts/dictionaries/run.py FIGURES --choose     # the same over the scenes that choices are made on
    python scripts/dictionaries/run.py FIGURES --data DATA  # SqueezeNet; for photographs see tests/test_photographs.py

Dictionaries are learned from one set of scenes, their features are named by a second, and sentences are judged on a
third. What can be chosen is chosen on a fourth. The same command resumes.
"""

from __future__ import annotations

import argparse
import sys
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from judging import Comparison
from lessons import Lessons
from sets import CHOSEN, JUDGED, LEARNED, NAMED, Photographs, scenes
from table import compare

from dissection.concepts.layouts import open_concepts
from dissection.concepts.wrappers import Selection
from dissection.vocabulary import QUANTILE
from neuronexplain import open_network
from neuronexplain.cli import console
from neuronexplain.cli.commands.demo import DEMO_QUANTILE

sys.path.append(str(Path(__file__).parents[1]))  # where what several scripts share is
from squeezenet import open_squeezenet

if TYPE_CHECKING:
    from dissection.execution.settings import Progress

SEEDS = (0, 1, 2)
"""Of the autoencoders."""

FEATURES, K, STEPS = 192, 8, 6000
"""Of the autoencoders of the scenes' network."""

PHOTOGRAPH_FEATURES, PHOTOGRAPH_K, PHOTOGRAPH_STEPS = 1024, 32, 1500
"""Of that of SqueezeNet."""


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
