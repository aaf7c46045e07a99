"""A chart of the benchmark's ratios: bars to the right of 1 cost more than what they are compared with."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from building import COMPARED
from explaining import BACKWARD, BARE, OURS, PEERS
from matplotlib.figure import Figure

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from matplotlib.axes import Axes

_SPOKEN = {"vgg16": "VGG16", "efficientnet_b0": "EfficientNet-B0", "resnet50": "ResNet-50"}
_OURS, _OTHERS, _LIMIT = "#0072B2", "#E69F00", "#BBBBBB"
"""Blue and orange, which everybody can tell apart, and grey; they differ in lightness too."""

_HEIGHT, _BETWEEN = 0.27, 1.9
"""Inches of a bar's row, and rows that a panel takes beside its bars."""


class Bar(NamedTuple):
    """A ratio, or a line of text above those that belong to it."""

    label: str
    figure: Mapping[str, float] | None = None
    colour: str = _OURS


def spoken(name: str) -> str:
    """A network's name as people write it, at the start of what is said of it."""
    network, *rest = name.split(",")
    return ",".join([_SPOKEN.get(network, network), *rest])


def chart(found: Mapping[str, Any], file: Path) -> None:
    """Draw one panel a subject; nothing where no ratio was measured."""
    panels = {title: bars for title, bars in _panels(found).items() if bars}
    if not panels:
        return
    rows = [len(bars) + _BETWEEN for bars in panels.values()]
    figure = Figure(figsize=(8.5, _HEIGHT * sum(rows) + 0.5), layout="constrained")
    axes = figure.subplots(len(panels), squeeze=False, height_ratios=rows)[:, 0]
    for own, (title, bars) in zip(axes, panels.items(), strict=True):
        _panel(own, title, bars)
    if "trial" in found:
        figure.suptitle(found["trial"]["note"], color="red")
    figure.savefig(file, dpi=160)


def _panels(found: Mapping[str, Any]) -> dict[str, list[Bar]]:
    return {
        "Building, over a bare forward pass": _building(found),
        "Explaining, over a bare forward pass": _explaining(found),
        "Building on a GPU, over its own forward pass": _on_gpu(found),
    }


def _building(found: Mapping[str, Any]) -> list[Bar]:
    bars = []
    for name, figures in found.get("building", {}).items():
        bars.append(Bar(f"{spoken(name)}, {figures['images']:,} images"))
        bars += [Bar(compared, figures[compared]) for compared in COMPARED]
    return bars


def _explaining(found: Mapping[str, Any]) -> list[Bar]:
    colours = {BACKWARD: _LIMIT, OURS: _OURS}
    bars = []
    for name, figures in found.get("explaining", {}).items():
        bars.append(Bar(spoken(name)))
        sides = figures[f"over {BARE}"]
        bars += [Bar(side, sides[side], colours.get(side, _OTHERS)) for side in (BACKWARD, OURS, *PEERS)]
    return bars


def _on_gpu(found: Mapping[str, Any]) -> list[Bar]:
    return [Bar(spoken(name), figures["build / pass"]) for name, figures in found.get("gpu", {}).items()]


def _panel(axes: Axes, title: str, bars: Sequence[Bar]) -> None:
    axes.set_title(title, loc="left", fontsize=10, fontweight="bold")
    end = 1.25 * max(1, *(bar.figure["ratio"] for bar in bars if bar.figure))
    axes.axvline(1, color="black", linewidth=1)
    for place, bar in enumerate(bars):
        if bar.figure:
            _draw(axes, place, bar, end)
    axes.set_xlim(0, end)
    axes.set_ylim(len(bars) - 0.4, -0.6)
    axes.set_yticks(range(len(bars)), [bar.label for bar in bars], fontsize=9)
    for label, bar in zip(axes.get_yticklabels(), bars, strict=True):
        label.set_fontweight("normal" if bar.figure else "bold")
    axes.tick_params(left=False, labelsize=9)
    axes.spines[["top", "right", "left"]].set_visible(False)


def _draw(axes: Axes, place: int, bar: Bar, end: float) -> None:
    """The middle round as a bar, the least and the most as a line, the number behind."""
    ratio, lowest, highest = (bar.figure[name] for name in ("ratio", "lowest", "highest"))
    axes.barh(place, ratio, height=0.7, color=bar.colour)
    axes.plot([lowest, min(highest, 0.93 * end)], [place, place], color="black", linewidth=1)
    behind = min(max(ratio, highest), 0.93 * end) + 0.01 * end
    number = axes.text(behind, place, f"{ratio:.2f}", va="center", fontsize=9)
    number.set_bbox({"facecolor": "white", "edgecolor": "none", "pad": 1})
