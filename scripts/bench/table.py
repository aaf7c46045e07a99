"""A table of the benchmark's figures.

``scripts/bench/table.py bench.json`` prints it again, and draws the chart beside the file.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from building import COMPARED, EVIDENCE, FORMULAS
from chart import chart, spoken
from explaining import BACKWARD, BARE, OURS, PEERS

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

HEADER = ("what", "best other", "ours", "where")
NOTHING = ""


def table(results: Mapping[str, Any]) -> str:
    """Markdown: a row for each figure that was measured, with the best of the measured peers beside it."""
    cpu, gpu = places(results["machine"])
    rows = [(*row, gpu if section is on_gpu else cpu) for section in SECTIONS for row in section(results)]
    lines = [HEADER, ("---",) * len(HEADER), *rows]
    notes = [results["trial"]["note"]] if "trial" in results else []
    return "\n".join([*notes, *(f"| {' | '.join(line)} |" for line in lines)])


def places(machine: Mapping[str, Any]) -> tuple[str, str]:
    """The processor and the GPU."""
    return f"{machine['cores']} cores, {machine['processor']}", str(machine.get("gpu"))


def building(results: Mapping[str, Any]) -> Iterator[tuple[str, str, str]]:
    """Builds over bare passes, and with evidence, and formulas, over without."""
    for name, figures in results.get("building", {}).items():
        for compared in COMPARED:
            yield f"{spoken(name)}: build / forward pass, {compared}", NOTHING, between(figures[compared])
        for compared in EVIDENCE:
            figure = figures["with evidence / without"][compared]
            yield f"{spoken(name)}: build with evidence / without, {compared}", NOTHING, between(figure)
        for compared in FORMULAS:
            figure = figures["with formulas / without"][compared]
            yield f"{spoken(name)}: build with formulas / without, {compared}", NOTHING, between(figure)


def explaining(results: Mapping[str, Any]) -> Iterator[tuple[str, str, str]]:
    """Explaining over the passes that it needs, and over a single forward pass."""
    for name, figures in results.get("explaining", {}).items():
        for baseline in (BARE, BACKWARD):
            sides = figures[f"over {baseline}"]
            best = min(PEERS, key=lambda peer: sides[peer]["ratio"])
            yield f"{spoken(name)}: explain / {baseline}", f"{best} {between(sides[best])}", between(sides[OURS])


def evaluating(results: Mapping[str, Any]) -> Iterator[tuple[str, str, str]]:
    """Protocols over the passes that they need."""
    for name, figures in results.get("evaluating", {}).items():
        for protocol, figure in figures.items():
            if isinstance(figure, dict):
                yield f"{spoken(name)}, {figures['images']} images: {protocol} / its passes", NOTHING, between(figure)


def memory(results: Mapping[str, Any]) -> Iterator[tuple[str, str, str]]:
    """Peaks of memory and disk."""
    figures = results.get("memory", {})
    if "growth" in figures:
        (few, many), (less, more) = figures["growth"]["images"], figures["growth"]["peak, megabytes"]
        grown = f"{figures['growth']['growth, percent']:+.0f} % ({less:.0f} to {more:.0f} MB)"
        yield f"memory of the engine, 512 x 14 x 14: from {few:,} images to {many:,}", NOTHING, grown
    if "broden" in figures:
        size = figures["broden"]
        title = f"engine at {size['images']:,} images, {size['units']} units, {size['concepts']:,} concepts"
        yield f"{title}: memory", NOTHING, f"{size['peak, megabytes']:,.0f} MB"
        yield f"{title}: disk", NOTHING, f"{size['disk, megabytes']:,.0f} MB"
        yield f"{title}: time, without a network", NOTHING, f"{size['seconds'] / 60:.1f} min"


def store(results: Mapping[str, Any]) -> Iterator[tuple[str, str, str]]:
    """Answers of a crowded store."""
    for figures in results.get("store", {}).values():
        for question, times in figures.items():
            if isinstance(times, dict):
                title = f"{question.removesuffix(', milliseconds')}, among {figures['runs']} runs"
                yield title, NOTHING, f"{times['median']:.1f} ms (9 of 10: {times['p90']:.1f} ms)"


def on_gpu(results: Mapping[str, Any]) -> Iterator[tuple[str, str, str]]:
    """Builds over the GPU's own passes."""
    for name, figures in results.get("gpu", {}).items():
        rates = [figures[f"{side}, images per second"] for side in ("build", "pass")]
        rate = "{:,.0f} of {:,.0f} images per second".format(*rates)
        yield f"{spoken(name)}: build / forward pass", NOTHING, f"{between(figures['build / pass'])}; {rate}"


SECTIONS = (building, explaining, evaluating, memory, store, on_gpu)


def between(figure: Mapping[str, float]) -> str:
    """A ratio with its range."""
    return f"{figure['ratio']:.2f} ({figure['lowest']:.2f} to {figure['highest']:.2f})"


def main() -> None:
    """Print the table of a file and draw its chart."""
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    file = Path(sys.argv[1])
    results = json.loads(file.read_text())
    chart(results, file.with_suffix(".png"))
    print(table(results))


if __name__ == "__main__":
    main()
