"""What names are worth that a segmenter's labels give: the demo's network over scenes with true and predicted labels.

    python scripts/train_segmenter.py SEGMENTER
    python scripts/judge_labels.py SEGMENTER FIGURES

A segmenter knows objects, so names are compared with those that the true masks of objects give. The truth of sentences
is judged on other scenes, with true labels of everything. The least confidence is chosen on scenes of another seed.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from db import NameStore
from dissection.concepts.broden.layout import BrodenLayout
from dissection.concepts.conversion import convert
from dissection.concepts.generated import write_scenes
from dissection.concepts.wrappers import DatasetWrapper
from dissection.labelling.opening import open_segmenter
from dissection.labelling.request import LabellerRequest
from dissection.labelling.running import label
from dissection.networks.opening import open_network
from dissection.vocabulary import DRAWS, Labels
from neuronexplain.building import build
from neuronexplain.metrics.intervals import figure

if TYPE_CHECKING:
    from collections.abc import Mapping

    from dissection.vocabulary import Concept

CHOSEN_ON, MEASURED_ON, TRUTH_ON = 3002, 4000, 4001
"""Seeds of scenes: the segmenter learns from 3000 and is judged on 3001."""

OBJECT = "object"


class Objects(DatasetWrapper):
    """A dataset's objects alone, whose labels are one map of each image."""

    @property
    def concepts(self) -> Mapping[int, Concept]:
        """The objects."""
        return {number: concept for number, concept in super().concepts.items() if concept.category == OBJECT}

    @property
    def categories(self) -> tuple[str, ...]:
        """That of objects."""
        return (OBJECT,)

    def labels(self, index: int) -> Labels:
        """The labels of objects."""
        maps = super().labels(index).maps
        numbers = list(self.concepts)
        return Labels(np.where(np.isin(maps, numbers), maps, 0))


def scenes(folder: Path, seed: int, images: int) -> Path:
    """Scenes with true labels, drawn once."""
    if not folder.exists():
        write_scenes(folder, seed=seed, images=images)
    return folder


def photographs(data: Path, folder: Path) -> Path:
    """The photographs of scenes alone."""
    folder.mkdir(exist_ok=True)
    for file in (data / "images").glob("?????.png"):
        if not (folder / file.name).exists():
            (folder / file.name).symlink_to(file.resolve())
    return folder


def names(data: Path, database: Path, draws: int) -> dict[int, str]:
    """The names that data give the units of the demo's network, each with its category; its run is kept."""
    if not database.exists():
        with NameStore.create(database) as store:
            build(open_network("scenes"), BrodenLayout(data), store, draws=draws)
    with NameStore.open(database) as store:
        found = store.dissection(store.newest()).names()
    return {unit: f"{name.concept.category}/{name.concept.spoken}" for unit, name in found.items()}


def truth(database: Path, data: Path) -> str:
    """How often what sentences say is true, by ``evaluate words`` over other data."""
    command = [sys.executable, "-m", "neuronexplain", "evaluate", "words", "--db", database, "--concepts", data]
    out = database.with_name(f"words-{database.stem}")
    done = subprocess.run(  # noqa: S603 -- our own command
        list(map(str, [*command, "--out", out, "--json"])), capture_output=True, text=True, check=True
    )
    rows = {row["key"]: row for row in json.loads(done.stdout)["rows"]}
    return "; ".join(f"{rows[key]['measure']} {said(rows[key])}" for key in ("responds-true", "absent-true", "spoken"))


def said(row: Mapping[str, Any]) -> str:
    """A row's figure, with its interval."""
    value = row["value"]
    return f"{value['value']:.1f} ({value['low']:.1f} to {value['high']:.1f}), over {row['over']}"


def agreement(true: Mapping[int, str], predicted: Mapping[int, str]) -> str:
    """Of the units with a name from either labels, the share with the same name from both, with its interval."""
    units = sorted(true.keys() | predicted.keys())
    share = figure([true.get(unit) == predicted.get(unit) for unit in units])
    both = sorted(true.keys() & predicted.keys())
    same = sum(true[unit] == predicted[unit] for unit in both)
    of_either = f"{share.value:.3f} ({share.low:.3f} to {share.high:.3f}) of {len(units)} units that either names"
    of_both = f"{same} of {len(both)} that both name"
    return f"{of_either}; {of_both}; {len(true)} named by true labels, {len(predicted)} by predicted"


def main() -> None:
    """Draw, label, name, compare."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("segmenter", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--images", type=int, default=240)
    parser.add_argument("--choose", action="store_true", help="compare least confidences, on scenes of another seed")
    parser.add_argument("--min-confidence", type=float, nargs="+", default=[0.0])
    options = parser.parse_args()
    seed, draws = (CHOSEN_ON, 0) if options.choose else (MEASURED_ON, DRAWS)
    out = options.out / str(seed)
    out.mkdir(parents=True, exist_ok=True)
    everything = scenes(out / "true", seed, options.images)
    if not (out / "objects").exists():
        convert(Objects(BrodenLayout(everything)), out / "objects")
    of_objects = names(out / "objects", out / "objects.db", draws)
    for least in options.min_confidence:
        data = out / f"predicted-{least:g}"
        if not data.exists():
            segmenter = open_segmenter(LabellerRequest(f"hf/{options.segmenter}", min_confidence=least))
            labelled = label(
                photographs(everything, out / "photographs"), data, segmenter, against=BrodenLayout(everything)
            )
            print(f"least confidence {least:g}: mean IoU {labelled.note.checked.mean_iou:.3f}")
        predicted = names(data, out / f"{data.name}.db", draws)
        print(f"least confidence {least:g}: {agreement(of_objects, predicted)}", flush=True)
    if options.choose:
        return
    named = names(everything, out / "everything.db", 0)
    of_all = sum(name.startswith(OBJECT) for name in named.values())
    print(f"true labels of everything name {len(named)} units, {of_all} of them after objects")
    unseen = scenes(options.out / "unseen", TRUTH_ON, options.images)
    for database in (out / "objects.db", *(out / f"predicted-{least:g}.db" for least in options.min_confidence)):
        print(f"{database.stem}: {truth(database, unseen)}", flush=True)


if __name__ == "__main__":
    main()
