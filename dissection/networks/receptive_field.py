"""How much of the image a cell of a layer's map can see, measured by making the rest unknown.

A NaN is contagious: anything computed from it is NaN, even if it is multiplied by 0, pooled or rectified. If an image
is NaN above row t, exactly those rows of a map become NaN that see something above t. As t moves down the middle of the
image, the t at which a row of the map turns is the top of its field; the same from below gives the bottom. Two rows
that turn give the stride, so few images are enough, and nothing is assumed about the architecture; if a map is so small
that only one row turns, the stride is taken to be a power of two. Rows stand for columns: only the field's height is
measured, on a narrow image if the network takes one.
"""

from __future__ import annotations

from contextlib import ExitStack
from functools import partial
from math import log2
from typing import TYPE_CHECKING

import torch

from dissection.errors import LayerNotFoundError

from .isolation import tried
from .map_layouts import read
from .recording import in_type_of

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from jaxtyping import Bool
    from torch import Tensor, nn

    from dissection.vocabulary import Layer

    from .map_layouts import Layout
    from .network import Network

_BATCH = 8
_NARROW = 64


def receptive_fields(
    network: Network, layers: Sequence[Layer], *, progress: Callable[[int, int], None] | None = None
) -> list[int | None]:
    """The height, in pixels, of what a cell in the middle of each layer's map sees; ``None`` if it sees all rows.

    Args:
        network: the network.
        layers: some of its layers.
        progress: called with the number of images done, and of all images.
    """
    height = network.preprocessing.size[0]
    reach = 2 * max((-(-height // layer.height) for layer in layers), default=0) + 2
    cuts = range(max(height // 2 - reach // 2, 1), min(height // 2 + reach // 2, height))
    images = [(cut, below) for below in (False, True) for cut in cuts]
    probe = _Probe(network, layers, _narrowest(network, layers))
    for start in range(0, len(images), _BATCH):
        probe.look(images[start : start + _BATCH])
        if progress:
            progress(min(start + _BATCH, len(images)), len(images))
    unknown = [torch.cat(rows).view(2, len(cuts), -1) for rows in probe.unknown]
    return [_height(above, below, cuts, height) for above, below in unknown]


def _narrowest(network: Network, layers: Sequence[Layer]) -> int:
    """The width of a narrow image, if the network takes one."""
    height, width = network.preprocessing.size
    try:
        _Probe(network, layers, _NARROW).look([(height // 2, False)])
    except Exception:  # noqa: BLE001 -- a network that needs another size may raise anything
        return width
    return min(width, _NARROW)


class _Probe:
    """Runs a network on partly unknown images.

    Attributes:
        unknown: for each layer and each batch, which rows of its map are unknown, by image.
    """

    def __init__(self, network: Network, layers: Sequence[Layer], width: int) -> None:
        self._network, self._layers, self._width = network, layers, width
        self.unknown: list[list[Bool[Tensor, "images rows"]]] = [[] for _ in layers]

    def look(self, images: Sequence[tuple[int, bool]]) -> None:
        """Run images that are unknown above a row, or from a row on."""
        preprocessing, module = self._network.preprocessing, self._network.module
        batch = torch.zeros(len(images), preprocessing.channels, preprocessing.size[0], self._width)
        for image, (cut, below) in zip(batch, images, strict=True):
            (image[:, cut:] if below else image[:, :cut]).fill_(torch.nan)
        with tried(module), ExitStack() as hooks:
            for layer, rows in zip(self._layers, self.unknown, strict=True):
                note = partial(_note, layer, self._network.layouts.get(layer.name), rows)
                hooks.callback(module.get_submodule(layer.name).register_forward_hook(note, prepend=True).remove)
            module(in_type_of(module, batch))


def _note(
    layer: Layer, layout: Layout | None, rows: list[Tensor], _part: nn.Module, _inputs: object, output: Tensor
) -> None:
    fits = output.ndim == 4 and output.shape[1:3] == (layer.units, layer.height) and layout is None
    maps = output if fits else read(output, layer, layout)
    if maps is None:
        raise LayerNotFoundError(f"layer {layer.name!r} gives no map of a narrow image; choose another layer")
    rows.append(maps.isnan().any(3).any(1).cpu())


def _height(above: Bool[Tensor, "cuts rows"], below: Bool[Tensor, "cuts rows"], cuts: range, height: int) -> int | None:
    """The height of the field, from the rows that turn between the cuts."""
    tops = {row: cuts[turn - 1] for row, turn in _turns(above)}
    bottoms = {row: cuts[turn] - 1 for row, turn in _turns(~below)}
    if not tops or not bottoms:
        return None
    (top_row, top), (bottom_row, bottom) = next(iter(tops.items())), next(iter(bottoms.items()))
    stride = _stride(tops, bottoms) or 2 ** round(log2(height / above.shape[1]))
    field = bottom - top + 1 - (bottom_row - top_row) * stride
    return field if field < height else None


def _turns(flags: Bool[Tensor, "cuts rows"]) -> list[tuple[int, int]]:
    """The rows whose flag turns true, each with the first cut at which it is true."""
    turned = flags.int().diff(dim=0).clamp(min=0)
    return [(int(row), int(turned[:, row].argmax()) + 1) for row in turned.any(0).nonzero()[:, 0]]


def _stride(tops: dict[int, int], bottoms: dict[int, int]) -> int:
    """Pixels from one row of the map to the next; 0 if only one row turned, from which it cannot be known."""
    steps = [
        (ends[last] - ends[first]) // (last - first)
        for ends in (tops, bottoms)
        for first, last in zip(sorted(ends), sorted(ends)[1:], strict=False)
    ]
    return max(steps, default=0)
