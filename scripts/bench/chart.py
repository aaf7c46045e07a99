"""A chart of the benchmark's ratios: bars that pass 1 cost more than the baseline."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from building import COMPARED, EVIDENCE
from explaining import BACKWARD, BARE, CAUSES, OURS, PEERS
from matplotlib.figure import Figure

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from matplotlib.axes import Axes

_SPOKEN = {"vgg16": "VGG16", "efficientnet_b0": "EfficientNet-B0", "resnet50": "ResNet-50"}
_OURS, _OTHERS, _LIMIT = "#0072B2", "#E69F00", "#BBBBBB"
"""Blue and orange, which everybody can tell apart, and grey; they also differ in lightness."""

_HEIGHT, _BETWEEN = 0.27, 1.9
"""Height of a bar's row in inches, and rows that a panel takes besides its bars."""


class Bar(NamedTuple):
    """A ratio, or a heading above the ratios that belong to it."""

    label: str
    figure: Mapping[str, float] | None = None
    colour: str = _OURS


def spoken(name: str) -> str:
    """A title that begins with a network's name, with the name as people write it."""
    network, *rest = name.split(",")
    return ",".join([_SPOKEN.get(network, network), *rest])


def chart(results: Mapping[str, Any], file: Path) -> None:
    """Draw one panel per subject; nothing if no ratio was measured."""
    panels = {title: bars for title, bars in _panels(results).items() if bars}
    if not panels:
        return
    rows = [len(bars) + _BETWEEN for bars in panels.values()]
    figure = Figure(figsize=(8.5, _HEIGHT * sum(rows) + 0.5), layout="constrained")
    axes = figure.subplots(len(panels), squeeze=False, height_ratios=rows)[:, 0]
    for panel_axes, (title, bars) in zip(axes, panels.items(), strict=True):
        _panel(panel_axes, title, bars)
    if "trial" in results:
        figure.suptitle(results["trial"]["note"], color="red")
    figure.savefig(file, dpi=160)


def _panels(results: Mapping[str, Any]) -> dict[str, list[Bar]]:
    return {
        "Building, over a bare forward pass": _building(results),
        "Building with evidence, over building without": _evidence(results),
        "Explaining, over a bare forward pass": _explaining(results),
        "Building on a GPU, over its own forward pass": _on_gpu(results),
    }


def _building(results: Mapping[str, Any]) -> list[Bar]:
    bars = []
    for name, figures in results.get("building", {}).items():
        bars.append(Bar(spoken(name)))
        bars += [Bar(compared, figures[compared]) for compared in COMPARED]
    return bars


def _evidence(results: Mapping[str, Any]) -> list[Bar]:
    bars = []
    for name, figures in results.get("building", {}).items():
        bars.append(Bar(spoken(name)))
        bars += [Bar(compared, figures["with evidence / without"][compared]) for compared in EVIDENCE]
    return bars


def _explaining(results: Mapping[str, Any]) -> list[Bar]:
    colours = {BACKWARD: _LIMIT, OURS: _OURS, CAUSES: _OURS}
    bars = []
    for name, figures in results.get("explaining", {}).items():
        bars.append(Bar(spoken(name)))
        sides = figures[f"over {BARE}"]
        bars += [Bar(side, sides[side], colours.get(side, _OTHERS)) for side in (BACKWARD, OURS, CAUSES, *PEERS)]
    return bars


def _on_gpu(results: Mapping[str, Any]) -> list[Bar]:
    return [Bar(spoken(name), figures["build / pass"]) for name, figures in results.get("gpu", {}).items()]


def _panel(axes: Axes, title: str, bars: Sequence[Bar]) -> None:
    axes.set_title(title, loc="left", fontsize=10, fontweight="bold")
    end = 1.25 * max(1, *(bar.figure["ratio"] for bar in bars if bar.figure))
    axes.axvline(1, color="black", linewidth=1)
    for row, bar in enumerate(bars):
        if bar.figure:
            _draw(axes, row, bar, end)
    axes.set_xlim(0, end)
    axes.set_ylim(len(bars) - 0.4, -0.6)
    axes.set_yticks(range(len(bars)), [bar.label for bar in bars], fontsize=9)
    for label, bar in zip(axes.get_yticklabels(), bars, strict=True):
        label.set_fontweight("normal" if bar.figure else "bold")
    axes.tick_params(left=False, labelsize=9)
    axes.spines[["top", "right", "left"]].set_visible(False)


def _draw(axes: Axes, row: int, bar: Bar, end: float) -> None:
    """Draw the median round as a bar, the range as a line, and the number to its right."""
    ratio, lowest, highest = (bar.figure[name] for name in ("ratio", "lowest", "highest"))
    axes.barh(row, ratio, height=0.7, color=bar.colour)
    axes.plot([lowest, min(highest, 0.93 * end)], [row, row], color="black", linewidth=1)
    text_x = min(max(ratio, highest), 0.93 * end) + 0.01 * end
    number = axes.text(text_x, row, f"{ratio:.2f}", va="center", fontsize=9)
    number.set_bbox({"facecolor": "white", "edgecolor": "none", "pad": 1})
