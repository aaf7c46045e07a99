"""Checks the demo's sentences: `neuronexplain evaluate words` on generated scenes that named no neuron."""

from __future__ import annotations

import tempfile
from functools import partial
from pathlib import Path

from db import NameStore
from dissection.concepts.generated import write_scenes
from dissection.concepts.layouts import open_concepts
from dissection.execution.settings import Execution
from neuronexplain import Explainer, build, open_network
from neuronexplain.cli import console
from neuronexplain.cli.commands.demo import DEMO_QUANTILE, DEMO_SCENES
from neuronexplain.cli.evaluate.measuring import INTERVAL, say_report
from neuronexplain.evaluation.ground_truth.labelled_concepts import open_unseen
from neuronexplain.evaluation.protocols import Words
from neuronexplain.evaluation.runner import evaluate
from neuronexplain.evaluation.words.speakers import OfPredictions

UNSEEN = 240
SEED = 2


def main() -> None:
    """Build as the demo does, explain unseen scenes, and print how true the sentences are."""
    network = open_network("scenes")
    with tempfile.TemporaryDirectory() as scratch, console.progress() as progress:
        folder, execution = Path(scratch), Execution(progress=progress)
        for name, images, seed in (("named", DEMO_SCENES, 1), ("unseen", UNSEEN, SEED)):
            report_drawn = partial(progress, f"drawing {name} scenes", total=images)
            write_scenes(folder / name, images=images, seed=seed, progress=report_drawn)
        with NameStore.create(folder / "scenes.db") as store:
            named = open_concepts(folder / "named")
            run = build(network, named, store, quantile=DEMO_QUANTILE, execution=execution).run
            explainer = Explainer.from_store(network, store, run=run)
        ground = open_unseen(open_concepts(folder / "unseen"), run.key.concepts)
        protocol = Words.over(ground, OfPredictions(explainer, SEED), run, seed=SEED)
        report = evaluate(protocol, network, [], ground, folder, view="centre", execution=execution)
    say_report(report, INTERVAL)


if __name__ == "__main__":
    main()
