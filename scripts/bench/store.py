"""How fast a store of many runs answers, and how large it is.

There are 100 runs of 2,048 named units with ten overlaps each, and 365 classes, 100 of them with importances.
"""

from __future__ import annotations

import statistics
import time
from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import numpy as np

from db import ClassImportance, NameStore, Run, RunKey
from dissection.vocabulary import Concept, ConceptSupport, Dissection, Layer, Overlap, Unit

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

LAYER = Layer("layer4", 2048, 7, 7, "")
CONCEPTS, CLASSES, GATHERED = 300, 365, 100
_WARMING = 20
"""Questions that are not counted."""


def asking(path: Path, *, runs: int = 100, questions: int = 200) -> dict[str, object]:
    """Milliseconds that a warm store takes for the concepts that matter for a class, and the classes for a concept."""
    stored_runs, generator = crowded(path, runs), np.random.default_rng(0)
    size = path.stat().st_size / 1e6
    with NameStore.open(path) as store:

        def concepts_of() -> object:
            return store.concepts_of(stored_runs[generator.integers(runs)], int(generator.integers(GATHERED)))

        def classes_for() -> object:
            return store.classes_for(
                stored_runs[generator.integers(runs)], f"concept {generator.integers(1, CONCEPTS + 1)}"
            )

        answers = {"concepts of a class": concepts_of, "classes for a concept": classes_for}
        times = {f"{question}, milliseconds": milliseconds(ask, questions) for question, ask in answers.items()}
    return {"runs": runs, "questions": questions, "megabytes": size, **times}


def milliseconds(ask: Callable[[], object], questions: int) -> dict[str, float]:
    """The median time of many answers, and the time that nine of ten do not exceed."""
    times = []
    for question in range(questions + _WARMING):
        start = time.perf_counter()
        if not ask():
            raise RuntimeError("the store has no answer; the benchmark asks about missing data")
        if question >= _WARMING:
            times.append(1000 * (time.perf_counter() - start))
    return {"median": statistics.median(times), "p90": float(np.quantile(times, 0.9))}


def crowded(path: Path, count: int) -> list[Run]:
    """A store of many runs, which differ in their networks' fingerprints alone."""
    with NameStore.create(path) as store:
        runs = [published(store)]
        whole = store.whole(runs[0])
        for number in range(1, count):
            copy = replace(runs[0], key=replace(runs[0].key, network=str(number)))
            runs.append(store.publish(copy, whole.dissection, whole.importances))
    return runs


def published(store: NameStore) -> Run:
    """A run in which every unit has a name, without pictures."""
    dissection = dissected()
    labels = tuple(f"class {index}" for index in range(CLASSES))
    generator = np.random.default_rng(1)
    importances = [
        ClassImportance(index, labels[index], 9, *generator.normal(size=(2, LAYER.units))) for index in range(GATHERED)
    ]
    key = RunKey(
        network="0",
        layer=LAYER.name,
        concepts="",
        preprocessing="",
        precision="float32",
        quantile=dissection.quantile,
        min_images=dissection.min_images,
        upsampling="",
        evidence="",
    )
    run = Run(
        id=0,
        key=key,
        created=datetime.now(UTC),
        network="resnet50",
        source={},
        classes=labels,
        layer=LAYER,
        concepts="bench",
        images=dissection.images,
        pixels=dissection.pixels,
        constant_alphas=False,
        evidence="bench",
    )
    return store.publish(run, dissection, importances)


def dissected() -> Dissection:
    """Units with ten overlaps each, with random concepts; no exemplars."""
    supports = tuple(ConceptSupport(Concept(n, f"concept {n}", "object"), 20, 20_000) for n in range(1, CONCEPTS + 1))
    generator = np.random.default_rng(0)
    chosen = (generator.permutation(CONCEPTS)[:10] for _ in range(LAYER.units))
    return Dissection(
        layer=LAYER,
        quantile=0.005,
        min_images=10,
        images=1000,
        pixels=1000 * 112 * 112,
        concepts=supports,
        units=tuple(Unit(k, 1.0, tuple(_overlaps([supports[n] for n in row])), ()) for k, row in enumerate(chosen)),
    )


def _overlaps(supports: list[ConceptSupport]) -> list[Overlap]:
    return [Overlap(support.concept, 900 - rank, 1000, 1000, support.images) for rank, support in enumerate(supports)]
