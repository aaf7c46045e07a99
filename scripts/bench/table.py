"""A table of the benchmark's figures.

``scripts/bench/table.py bench.json`` prints it again, and draws the chart beside the file.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from building import COMPARED
from chart import chart, spoken
from explaining import BACKWARD, BARE, OURS, PEERS

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

HEADER = ("what", "best other", "ours", "where")
NOTHING = ""


def table(found: Mapping[str, Any]) -> str:
    """Markdown: a row for each figure that was measured, with the best of those peers that were measured beside it."""
    cpu, gpu = places(found["machine"])
    rows = [(*row, gpu if section is on_gpu else cpu) for section in SECTIONS for row in section(found)]
    lines = [HEADER, ("---",) * len(HEADER), *rows]
    notes = [found["trial"]["note"]] if "trial" in found else []
    return "\n".join([*notes, *(f"| {' | '.join(line)} |" for line in lines)])


def places(machine: Mapping[str, Any]) -> tuple[str, str]:
    """The processor and the GPU."""
    return f"{machine['cores']} cores, {machine['processor']}", str(machine.get("gpu"))


def building(found: Mapping[str, Any]) -> Iterator[tuple[str, str, str]]:
    """Builds over bare passes."""
    for name, figures in found.get("building", {}).items():
        for compared in COMPARED:
            what = f"{spoken(name)}, {figures['images']:,} images: build / forward pass, {compared}"
            yield what, NOTHING, between(figures[compared])


def explaining(found: Mapping[str, Any]) -> Iterator[tuple[str, str, str]]:
    """Explaining over the least that it needs, and over a forward pass alone."""
    for name, figures in found.get("explaining", {}).items():
        for baseline in (BARE, BACKWARD):
            sides = figures[f"over {baseline}"]
            best = min(PEERS, key=lambda peer: sides[peer]["ratio"])
            yield f"{spoken(name)}: explain / {baseline}", f"{best} {between(sides[best])}", between(sides[OURS])


def evaluating(found: Mapping[str, Any]) -> Iterator[tuple[str, str, str]]:
    """Protocols over the passes that they need."""
    for name, figures in found.get("evaluating", {}).items():
        for protocol, figure in figures.items():
            if isinstance(figure, dict):
                yield f"{spoken(name)}, {figures['images']} images: {protocol} / its passes", NOTHING, between(figure)


def memory(found: Mapping[str, Any]) -> Iterator[tuple[str, str, str]]:
    """Peaks of memory and disk."""
    figures = found.get("memory", {})
    if "growth" in figures:
        (few, many), (less, more) = figures["growth"]["images"], figures["growth"]["peak, megabytes"]
        grown = f"{figures['growth']['growth, percent']:+.0f} % ({less:.0f} to {more:.0f} MB)"
        yield f"memory of the engine, 512 x 14 x 14: from {few:,} images to {many:,}", NOTHING, grown
    if "broden" in figures:
        size = figures["broden"]
        what = f"engine at {size['images']:,} images, {size['units']} units, {size['concepts']:,} concepts"
        yield f"{what}: memory", NOTHING, f"{size['peak, megabytes']:,.0f} MB"
        yield f"{what}: disk", NOTHING, f"{size['disk, megabytes']:,.0f} MB"
        yield f"{what}: time, without a network", NOTHING, f"{size['seconds'] / 60:.1f} min"


def store(found: Mapping[str, Any]) -> Iterator[tuple[str, str, str]]:
    """Answers of a crowded store."""
    for figures in found.get("store", {}).values():
        for what, times in figures.items():
            if isinstance(times, dict):
                asked = f"{what.removesuffix(', milliseconds')}, among {figures['runs']} runs"
                yield asked, NOTHING, f"{times['median']:.1f} ms (9 of 10: {times['p90']:.1f} ms)"


def on_gpu(found: Mapping[str, Any]) -> Iterator[tuple[str, str, str]]:
    """Builds over the card's own passes."""
    for name, figures in found.get("gpu", {}).items():
        rates = [figures[f"{side}, images per second"] for side in ("build", "pass")]
        rate = "{:,.0f} of {:,.0f} images per second".format(*rates)
        yield f"{spoken(name)}: build / forward pass", NOTHING, f"{between(figures['build / pass'])}; {rate}"


SECTIONS = (building, explaining, evaluating, memory, store, on_gpu)


def between(figure: Mapping[str, float]) -> str:
    """A ratio with its least and its most."""
    return f"{figure['ratio']:.2f} ({figure['lowest']:.2f} to {figure['highest']:.2f})"


def main() -> None:
    """Print the table of a file and draw its chart."""
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    file = Path(sys.argv[1])
    found = json.loads(file.read_text())
    chart(found, file.with_suffix(".png"))
    print(table(found))


if __name__ == "__main__":
    main()
