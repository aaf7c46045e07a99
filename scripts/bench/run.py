"""Measures what the engine costs, in one run: ratios of things timed in turns, memory, and how fast a store answers.

    scripts/bench/run.py [--rounds 3] [--only building,explaining,…] [--broden] [--out bench.json]

What is measured says each section's module. Figures are written after each section, so that a run that is interrupted
keeps what it has; beside them come a chart and a table. Tools that cannot be installed from the index are not measured.
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
    """How much of everything."""

    vgg16: int = 300
    efficientnet_b0: int = 4000
    evaluated: int = 1000
    gpu: int = 6400
    few: int = 500
    many: int = 4000
    broden: int = 63_305
    runs: int = 100
    questions: int = 200
    batches: tuple[int, ...] = (1, BATCH)
    singles: int = 5
    """Rounds with single images for each with batches: they take little time."""


TRIAL = Sizes(4, 8, 4, gpu=512, few=32, many=128, broden=320, runs=3, questions=10, batches=(1,), singles=1)
"""Shows whether everything runs; its figures say nothing."""


@dataclass(frozen=True)
class Bench:
    """One run: each section gives a figure, or several that belong together, by what it is of."""

    rounds: int
    sizes: Sizes
    place: Path
    at_broden: bool

    def building(self) -> Iterator[tuple[str, object]]:
        """The whole build over a bare pass, on the CPU."""
        for name in ("vgg16", "efficientnet_b0"):
            folder = photographs(self.place / name, getattr(self.sizes, name))
            yield name, building(name, folder, rounds=self.rounds, batch_size=BATCH)

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
        """Peaks over few and many images; and at Broden's size, where that is asked for."""
        yield "growth", growth(self.sizes.few, self.sizes.many, rounds=self.rounds)
        if self.at_broden:
            yield "broden", broden(self.sizes.broden)

    def gpu(self) -> Iterator[tuple[str, object]]:
        """The whole build over the card's own pass, where there is a card."""
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
    """What was asked for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=3, help="rounds that count (%(default)s)")
    parser.add_argument("--only", default=",".join(SECTIONS), help="sections, with commas between (%(default)s)")
    parser.add_argument("--broden", action="store_true", help="memory and disk at Broden's size too: some minutes")
    parser.add_argument("--out", type=Path, default=Path("bench.json"), help="figures; the chart is beside it")
    parser.add_argument("--trial", action="store_true", help="tiny sizes, to see whether everything runs")
    given = parser.parse_args()
    given.only = given.only.split(",")
    unknown = ", ".join(set(given.only) - set(SECTIONS))
    if unknown:
        parser.error(f"there is no section {unknown}; choose from {', '.join(SECTIONS)}")
    if given.rounds < 1:
        parser.error(f"--rounds is {given.rounds}; at least one must count")
    return given


def main() -> None:
    """Measure, print and write."""
    given = options()
    found: dict[str, dict[str, object]] = {"machine": machine()}
    print(*(f"{what}: {value}" for what, value in found["machine"].items()), sep="\n", flush=True)
    if given.trial:
        found["trial"] = {"note": "tiny sizes: these figures say nothing"}
    given.out.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as place:
        bench = Bench(given.rounds, TRIAL if given.trial else Sizes(), Path(place), given.broden)
        for section in given.only:
            start = time.monotonic()
            print(f"{section} ...", flush=True)
            for what, figures in SECTIONS[section](bench):
                found.setdefault(section, {})[what] = figures
                given.out.write_text(json.dumps(found, indent=2) + "\n")
                print(f"  {what}: done after {time.monotonic() - start:.0f} s", flush=True)
    chart(found, given.out.with_suffix(".png"))
    print(f"\n{table(found)}")


if __name__ == "__main__":
    main()
