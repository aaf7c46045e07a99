"""Measures the engine's cost in one run: ratios of times taken in turns, memory, and how fast a store answers.

    scripts/bench/run.py [--rounds 3] [--only building,explaining,…] [--broden] [--out bench.json]

Each section's module says what it measures. Figures are written after each section, so an interrupted run keeps what it
has; a chart and a table follow. Tools that cannot be installed from the index are not measured.
"""

from __future__ import annotations

import argparse
import json
import os
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import torch
from building import accelerated, building, photographs
from chart import chart
from evaluating import evaluating
from explaining import explaining
from machine import machine
from memory import broden, growth
from store import asking
from table import table

from dissection.networks.precision import PRECISIONS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

BATCH, GPU_BATCH = 16, 128
EVALUATED = ("squeezenet1_0",)
EXPLAINED = ACCELERATED = ("vgg16", "resnet50")


@dataclass(frozen=True)
class Sizes:
    """The size of each measurement."""

    vgg16: int = 300
    efficientnet_b0: int = 4000
    efficientnet_b0_few: int = 1200
    evaluated: int = 1000
    gpu: int = 6400
    few: int = 500
    many: int = 4000
    broden: int = 63_305
    runs: int = 100
    questions: int = 200
    batches: tuple[int, ...] = (1, BATCH)
    singles: int = 5
    """Rounds with single images for each round with batches: they take little time."""


TRIAL = Sizes(4, 8, 6, 4, gpu=512, few=32, many=128, broden=320, runs=3, questions=10, batches=(1,), singles=1)
"""Shows whether everything runs; its figures mean nothing."""


@dataclass(frozen=True)
class Bench:
    """One run: each section yields figures, alone or in groups, with their subject."""

    rounds: int
    sizes: Sizes
    place: Path
    at_broden: bool

    def building(self) -> Iterator[tuple[str, object]]:
        """The whole build over a bare pass, and with evidence, and formulas, over without, on the CPU."""
        light = "efficientnet_b0"
        cases = (
            ("vgg16", self.sizes.vgg16),
            (light, self.sizes.efficientnet_b0),
            (light, self.sizes.efficientnet_b0_few),
        )
        for name, images in cases:
            folder = photographs(self.place / f"{name}-{images}", images)
            yield f"{name}, {images:,} images", building(name, folder, rounds=self.rounds, batch_size=BATCH)

    def explaining(self) -> Iterator[tuple[str, object]]:
        """Explaining over a bare pass, on the CPU."""
        for name in EXPLAINED:
            for size in self.sizes.batches:
                rounds = self.rounds * (self.sizes.singles if size == 1 else 1)
                yield f"{name}, batch {size}", explaining(name, size, rounds=rounds)

    def evaluating(self) -> Iterator[tuple[str, object]]:
        """Protocols over the passes that they need, on the CPU."""
        folder = photographs(self.place / "evaluated", self.sizes.evaluated)
        for name in EVALUATED:
            yield name, evaluating(name, folder, rounds=self.rounds, batch_size=BATCH)

    def store(self) -> Iterator[tuple[str, object]]:
        """A crowded store's answers."""
        sizes = self.sizes
        yield "crowded", asking(self.place / "names.db", runs=sizes.runs, questions=sizes.questions)

    def memory(self) -> Iterator[tuple[str, object]]:
        """Peaks over few and many images, and at Broden's size if requested."""
        yield "growth", growth(self.sizes.few, self.sizes.many, rounds=self.rounds)
        if self.at_broden:
            yield "broden", broden(self.sizes.broden)

    def gpu(self) -> Iterator[tuple[str, object]]:
        """The whole build over the GPU's own pass, if there is a GPU."""
        if not torch.cuda.is_available():
            print("  there is none")
            return
        folder = photographs(self.place / "gpu", self.sizes.gpu)
        means = {"batch_size": GPU_BATCH, "workers": os.cpu_count() or 1}
        for name in ACCELERATED:
            for precision in PRECISIONS:
                yield f"{name}, {precision}", accelerated(name, folder, precision, rounds=self.rounds, **means)


SECTIONS: dict[str, Callable[[Bench], Iterator[tuple[str, object]]]] = {
    section.__name__: section
    for section in (Bench.building, Bench.explaining, Bench.evaluating, Bench.store, Bench.memory, Bench.gpu)
}


def options() -> argparse.Namespace:
    """The options of the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=3, help="rounds that are counted (%(default)s)")
    parser.add_argument("--only", default=",".join(SECTIONS), help="sections, separated by commas (%(default)s)")
    parser.add_argument("--broden", action="store_true", help="also memory and disk at Broden's size: some minutes")
    parser.add_argument(
        "--out", type=Path, default=Path("bench.json"), help="file for the figures; the chart is put beside it"
    )
    parser.add_argument("--trial", action="store_true", help="tiny sizes, to check that everything runs")
    chosen = parser.parse_args()
    chosen.only = chosen.only.split(",")
    unknown = ", ".join(set(chosen.only) - set(SECTIONS))
    if unknown:
        parser.error(f"there is no section {unknown}; choose from {', '.join(SECTIONS)}")
    if chosen.rounds < 1:
        parser.error(f"--rounds is {chosen.rounds}; at least one must count")
    return chosen


def main() -> None:
    """Measure, print and write."""
    chosen = options()
    results: dict[str, dict[str, object]] = {"machine": machine()}
    print(*(f"{fact}: {value}" for fact, value in results["machine"].items()), sep="\n", flush=True)
    if chosen.trial:
        results["trial"] = {"note": "tiny sizes: these figures mean nothing"}
    chosen.out.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        bench = Bench(chosen.rounds, TRIAL if chosen.trial else Sizes(), Path(folder), chosen.broden)
        for section in chosen.only:
            start = time.monotonic()
            print(f"{section} ...", flush=True)
            for subject, figures in SECTIONS[section](bench):
                results.setdefault(section, {})[subject] = figures
                chosen.out.write_text(json.dumps(results, indent=2) + "\n")
                print(f"  {subject}: done after {time.monotonic() - start:.0f} s", flush=True)
    chart(results, chosen.out.with_suffix(".png"))
    print(f"\n{table(results)}")


if __name__ == "__main__":
    main()
