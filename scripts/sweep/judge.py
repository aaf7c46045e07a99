"""Judges from a network's maps alone whether they lie in the image as they are read.

Patches of a noise image are filled with other noise, one at a time, and twice each. What counts is how far each cell of
the map moves then, in logarithms, beyond what it usually moves and beyond what all cells move. Two questions are asked
of that, in this order:

1. Can anything be measured? The two changes of a patch must resemble each other more than changes of different patches
   do: permutations show how much they would resemble each other by chance. Otherwise the verdict is *cannot tell*,
   whatever else is seen. Where the patch was does not enter here, so a map that is read wrongly does not pass for one
   of which nothing is known.
2. Does the map move where the patch was? Movement is correlated with nearness to the patch. Patches mirrored,
   transposed, or shifted by a cell, and the map as the output's shape alone suggests, are the rivals. *Wrong* is a map
   of which a rival is clearly better. *Right* is one that is nearer to its patches than to permuted ones, and clearly
   better than its rivals, but for shifts: those need only be no better, since a blurred map does not tell one cell from
   the next. Half a cell is no shift: that is how far strided convolutions put a map beside its image. In between, the
   verdict is *cannot tell*.

A network is opened by other means: by following its operations, and by mosaics of two images, see
:mod:`dissection.networks.places` and :mod:`dissection.networks.mosaics`.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import product
from typing import TYPE_CHECKING, Literal

import numpy as np
import torch
from torch import nn

from dissection.networks.forward import forward

if TYPE_CHECKING:
    from jaxtyping import Float64, Int64

    from dissection.networks.network import Network

Verdict = Literal["right", "wrong", "cannot tell"]

PATCHES = 10
"""Patches that are changed."""
BATCH = 10
LARGE = 4.0
"""Deviation of a patch's noise; the image's is 1."""
SIDE = 1 / 7
"""Side of a patch, as a share of the image's: a cell of a fine map is lost among the fields of its neighbours."""
PERMUTATIONS = 999
BY_CHANCE = 0.01
"""Greatest share of permutations that may be as good."""
CLEARLY = 2.5
"""Least mean difference between a reading and a rival that is clear, in its standard errors."""

HALVES = tuple(np.array(shift) / 2 for shift in product((-1, 0, 1), repeat=2))
"""Shifts that are no mistake, in cells."""
SHIFTS = {"a row up": (-1, 0), "a row down": (1, 0), "a column left": (0, -1), "a column right": (0, 1)}
"""Shifts that are."""


@dataclass(frozen=True, slots=True)
class Judgement:
    """A verdict and its figures.

    Attributes:
        verdict: what is found.
        repeats: correlation between two changes of one patch.
        chance: share of permutations of the patches in which that is as great.
        nearness: correlation between movement and nearness to the patch.
        rival: the rival that is best against the reading.
        margin: how much better the reading is, in standard errors of the difference.
        means: what was done to the network so that more shows.
    """

    verdict: Verdict
    repeats: float
    chance: float
    nearness: float
    rival: str
    margin: float
    means: str

    def __str__(self) -> str:
        return (
            f"repeats {self.repeats:.2f} (p = {self.chance:.3f}), near {self.nearness:.2f}, "
            f"{self.margin:+.1f} against {self.rival}{f' ({self.means})' if self.means else ''}"
        )


def judged(network: Network) -> Judgement:
    """A judgement on a network's map; where it is *cannot tell*, on the same network made to let more through.

    In deep networks with random weights, what an image changes can be smaller than the rounding of what it does not
    change. So double precision is tried, and then normalisation by what the network computes from noise, as training
    would have it. Neither moves a cell of the map. The network's module is left so.
    """
    judgement = _judged(network, "")
    for means, change in MEANS.items():
        if judgement.verdict != "cannot tell":
            break
        try:
            network = change(network)
            judgement = _judged(network, means)
        except (RuntimeError, ValueError):  # a module that makes single-precision tensors, a map of one cell
            break
    return judgement


def _doubled(network: Network) -> Network:
    return replace(network, module=network.module.double())


def _normalised(network: Network) -> Network:
    """The network with BatchNorm's means and variances of noise images."""
    norms = [part for part in network.module.modules() if isinstance(part, nn.modules.batchnorm._BatchNorm)]  # noqa: SLF001
    settings = [norm.momentum for norm in norms]
    for norm in norms:
        norm.reset_running_stats()
        norm.momentum = None
        norm.train()
    images = torch.randn(4, network.preprocessing.channels, *network.preprocessing.size, generator=_generator(13))
    with torch.no_grad():
        network.module(images.double())
    for norm, momentum in zip(norms, settings, strict=True):
        norm.momentum = momentum
        norm.eval()
    return network


MEANS = {"in double precision": _doubled, "in double precision, normalised": _normalised}
"""What is done, one after the other, where nothing can be told."""


def _generator(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def _judged(network: Network, means: str) -> Judgement:
    layer, generator = network.layer, _generator(11)
    order = torch.randperm(layer.height * layer.width, generator=generator)[:PATCHES].numpy()
    cells = np.stack(np.divmod(np.arange(layer.height * layer.width), layer.width), 1).astype(float)
    places = cells[order]
    one, other = (_movement(network, places.astype(int), generator) for _ in range(2))
    alike = _cosines(one[:, None], other[None])
    repeats, by_chance = _diagonal(alike)
    movement = one + other
    read = max((_nearness(movement, places + shift, cells) for shift in HALVES), key=lambda near: near.mean())
    close, close_by_chance = _diagonal(_cosines(movement[:, None], _near(places, cells)[None]))
    margins = {
        title: _margin(read, _nearness(movement, rival, where))
        for title, (rival, where) in _rivals(network, places, cells).items()
    }
    rival = min(margins, key=margins.__getitem__)
    is_near = close_by_chance <= BY_CHANCE and all(
        margin >= CLEARLY for title, margin in margins.items() if title not in SHIFTS
    )
    verdict: Verdict = "cannot tell"
    if by_chance <= BY_CHANCE and margins[rival] <= -CLEARLY:
        verdict = "wrong"
    elif by_chance <= BY_CHANCE and is_near:
        verdict = "right"
    return Judgement(verdict, repeats, by_chance, close, rival, margins[rival], means)


def _rivals(
    network: Network, places: Float64[np.ndarray, "patches 2"], cells: Float64[np.ndarray, "cells 2"]
) -> dict[str, tuple[Float64[np.ndarray, "patches 2"], Float64[np.ndarray, "cells 2"]]]:
    """Other readings: where in the map the patches would be, and where its cells."""
    size = np.array([network.layer.height, network.layer.width])
    mirrored = {
        "upside down": np.array([1, 0]),
        "left for right": np.array([0, 1]),
        "half a turn": np.array([1, 1]),
    }
    rivals = {title: (np.where(axes, size - 1 - places, places), cells) for title, axes in mirrored.items()}
    rivals["rows for columns"] = (places[:, ::-1] * size / size[::-1], cells)
    rivals |= {title: (places + shift, cells) for title, shift in SHIFTS.items()}
    if network.layout and (order := np.argsort(np.argsort(network.layout.cells))).tolist() != list(range(len(cells))):
        rivals["the usual order"] = (places, cells[order])
    return rivals


def _diagonal(resemblance: Float64[np.ndarray, "patches patches"]) -> tuple[float, float]:
    """The mean of what belongs together, and the share of permutations in which it is as great."""
    patches, generator = np.arange(len(resemblance)), np.random.default_rng(0)
    mean = resemblance[patches, patches].mean()
    others = [resemblance[patches, generator.permutation(patches)].mean() for _ in range(PERMUTATIONS)]
    return float(mean), float(1 + (np.array(others) >= mean).sum()) / (PERMUTATIONS + 1)


def _margin(one: Float64[np.ndarray, " patches"], other: Float64[np.ndarray, " patches"]) -> float:
    """The mean difference, in its standard errors."""
    difference = one - other
    error = difference.std(ddof=1) / np.sqrt(len(difference))
    return float(difference.mean() / error) if error > 0 else 0.0


def _nearness(
    movement: Float64[np.ndarray, "patches cells"],
    places: Float64[np.ndarray, "patches 2"],
    cells: Float64[np.ndarray, "cells 2"],
) -> Float64[np.ndarray, " patches"]:
    return _cosines(movement, _near(places, cells))


def _near(
    places: Float64[np.ndarray, "patches 2"], cells: Float64[np.ndarray, "cells 2"]
) -> Float64[np.ndarray, "patches cells"]:
    return _centred(-np.linalg.norm(cells[None] - places[:, None], axis=2))


def _centred(values: Float64[np.ndarray, "patches cells"]) -> Float64[np.ndarray, "patches cells"]:
    """Beyond what is usual for a cell and what is common to all cells."""
    beyond = values - values.mean(0)
    return beyond - beyond.mean(1, keepdims=True)


def _cosines(
    one: Float64[np.ndarray, "*_ cells"], other: Float64[np.ndarray, "*_ cells"]
) -> Float64[np.ndarray, " *_"]:
    lengths = np.linalg.norm(one, axis=-1) * np.linalg.norm(other, axis=-1)
    return (one * other).sum(-1) / np.maximum(lengths, np.finfo(float).tiny)


@torch.no_grad()
def _movement(
    network: Network, places: Int64[np.ndarray, "patches 2"], generator: torch.Generator
) -> Float64[np.ndarray, "patches cells"]:
    """How far each cell moves when a patch of the image changes, in logarithms, beyond the usual."""
    layer, (height, width) = network.layer, network.preprocessing.size
    base = torch.randn(1, network.preprocessing.channels, height, width, generator=_generator(12))
    before = forward(network, base).activation.detach().double()
    images = base.repeat(len(places), 1, 1, 1)
    for image, (row, column) in zip(images, places.tolist(), strict=True):
        patch = image[:, _around(row, layer.height, height), _around(column, layer.width, width)]
        patch.copy_(LARGE * torch.randn(patch.shape, generator=generator))
    moved = torch.cat([forward(network, batch).activation.detach().double() for batch in images.split(BATCH)]) - before
    lengths = moved.norm(dim=1).flatten(1).numpy()
    return _centred(np.log(np.maximum(lengths, np.finfo(float).tiny)))


def _around(cell: int, cells: int, pixels: int) -> slice:
    """The pixels of a cell and of its neighbours, a share of :data:`SIDE` of all at least."""
    reach = max(1, round(cells * SIDE / 2 + 0.5))
    first, last = max(cell - reach + 1, 0), min(cell + reach, cells)
    return slice(first * pixels // cells, -(-last * pixels // cells))
