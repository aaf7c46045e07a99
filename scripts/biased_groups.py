"""Measures how `neuronexplain audit groups` finds the place that biased networks look at, and balanced ones do not.

Usage: scripts/biased_groups.py FOLDER SEED...

Each seed trains a biased and a balanced network as `neuronexplain evaluate bias` does; all are named over the same
scenes, and asked about the same others. It takes a few minutes a seed; FOLDER keeps what was made.
"""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path

from db import NameStore
from dissection.execution.settings import Execution
from neuronexplain.audit.groups.groups import compare_groups
from neuronexplain.audit.groups.page import say_accuracies, say_carriers
from neuronexplain.audit.photograph_pass import PhotographPass
from neuronexplain.building import build
from neuronexplain.class_images import ClassImages
from neuronexplain.cli import console
from neuronexplain.studies import bias

FIRST = bias.Bias()


def main() -> None:
    """Print what carries the gap between places, for each network and class."""
    folder, seeds = Path(sys.argv[1]), list(map(int, sys.argv[2:]))
    places = [FIRST.staging.place(index) for index in range(FIRST.tested)]
    with console.progress() as progress:
        execution = Execution(progress=progress)
        scenes = (FIRST.staging.draw(FIRST.seed + bias._TEST, index) for index in range(FIRST.tested))  # noqa: SLF001
        test = bias._drawn(folder / "test", scenes, FIRST.tested, execution)  # noqa: SLF001
        named = bias._drawn(folder / "named", bias._mixed(FIRST), FIRST.named, execution)  # noqa: SLF001
        images = ClassImages(folder, tuple((test.files(index)[0], index % 2) for index in range(FIRST.tested)))
        with NameStore.create(str(folder / "names.db")) as store:
            for seed in seeds:
                study = replace(FIRST, seed=1000 * seed, training=replace(FIRST.training, seed=seed))
                (folder / str(seed)).mkdir(parents=True, exist_ok=True)
                for name in study.stagings:
                    network = bias._trained(study, name, folder / str(seed), execution)  # noqa: SLF001
                    run = build(network, named, store, quantile=study.quantile, execution=execution).run
                    work = PhotographPass(network, run, images, execution)
                    for gap in compare_groups(work, places, store.dissection(run).units).gaps()[1:]:
                        print(f"{seed} {name}, {gap.label}: {say_accuracies(gap)} {say_carriers(gap)}")


if __name__ == "__main__":
    main()
