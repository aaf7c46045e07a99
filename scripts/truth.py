"""Checks the demo's sentences against the truth: generated scenes know what they show.

For named neurons that speak for a prediction and respond, how often is the concept in the scene? And how often is a
concept that a sentence calls absent really missing? Prints both, with the rates expected by chance.
"""

from __future__ import annotations

import tempfile
from pathlib import Path

from db import NameStore
from dissection.concepts.generated import write_scenes
from dissection.concepts.layouts import open_concepts
from dissection.scenes.scene import Scene, draw_scene
from neuronexplain import Explainer, build, open_network
from neuronexplain.cli.commands.demo import DEMO_QUANTILE, DEMO_SCENES

UNSEEN = 240
SEED = 2


def shown(scene: Scene) -> set[int]:
    """The label numbers of a scene."""
    return {int(number) for labels in scene.labels.values() for number in set(labels.flatten().tolist())} | {
        scene.number
    }


def rate(hits: list[bool]) -> str:
    """A share with its count."""
    return f"{sum(hits) / max(len(hits), 1):.1%} of {len(hits)}"


def main() -> None:
    """Build, explain unseen scenes, and count."""
    network = open_network("scenes")
    scenes = [draw_scene(SEED, index) for index in range(UNSEEN)]
    truths = [shown(scene) for scene in scenes]
    with tempfile.TemporaryDirectory() as folder:
        write_scenes(Path(folder) / "scenes", images=DEMO_SCENES, seed=1)
        with NameStore.create(Path(folder) / "scenes.db") as store:
            run = build(network, open_concepts(Path(folder) / "scenes"), store, quantile=DEMO_QUANTILE).run
            explainer = Explainer.from_store(network, store, run=run)
        explained = list(explainer.explain((scene.name, scene.photograph) for scene in scenes))
    responds, absent, chance, rarity = [], [], [], []
    for explanation, truth in zip(explained, truths, strict=True):
        for unit in explanation.top:
            if unit.name and unit.clause == "responds":
                responds.append(unit.name.concept.number in truth)
                chance += [unit.name.concept.number in numbers for numbers in truths]
        for name in {unit.name for unit in explanation.bottom if unit.name and unit.clause == "absent"}:
            absent.append(name.concept.number not in truth)
            rarity += [name.concept.number not in numbers for numbers in truths]
    print(f"responding neurons whose concept is in the scene: {rate(responds)} (by chance {rate(chance)})")
    print(f"concepts called absent that are not in the scene: {rate(absent)} (by chance {rate(rarity)})")


if __name__ == "__main__":
    main()
