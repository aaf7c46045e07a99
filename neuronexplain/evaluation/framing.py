"""Which part of a photograph the network sees, so that maps and annotations cover the same pixels.

``whole``
    the whole photograph, squashed to the network's input: no annotation is lost.
``centre``
    what the network usually sees of a photograph: resized, and the centre cropped.
``ten``
    ten crops, as Tables 1 and 3 of the paper: corners and centre of the squashed photograph, and their mirror images.
    Probabilities are averaged over the crops; maps are mirrored back, put where their crop was, and averaged where they
    overlap.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
import torch
from PIL import Image

if TYPE_CHECKING:
    from jaxtyping import Bool, Float, Float32, Float64
    from torch import Tensor

    from dissection.networks.preprocessing import Preprocessing
    from neuronexplain.evaluation.ground_truth.truth import ObjectLocation
    from neuronexplain.vocabulary import ViewKind

_ROOM = 256 / 224
"""How much larger than a crop the squashed photograph is, if the preprocessing does not say."""


@dataclass(frozen=True, slots=True)
class Crop:
    """A part of the view, of the network's input size."""

    top: int
    left: int
    mirrored: bool = False


@dataclass(frozen=True, slots=True, eq=False)
class Truth:
    """Where an object is in a view.

    Attributes:
        boxes: boxes of its instances, in pixels of the view.
        region: its pixels, from the mask if there is one, else from the boxes.
        has_mask: whether the region comes from a mask.
    """

    boxes: Float64[np.ndarray, "instances 4"]
    region: Bool[np.ndarray, "h w"]
    has_mask: bool


@dataclass(frozen=True, slots=True)
class Framing:
    """A way of looking at photographs.

    Attributes:
        kind: which view.
        size: height and width of the view, and of maps over it.
        crops: the parts of the view that the network is given.
        preprocessing: the network's.
    """

    kind: ViewKind
    size: tuple[int, int]
    crops: tuple[Crop, ...]
    preprocessing: Preprocessing

    @classmethod
    def of(cls, preprocessing: Preprocessing, kind: ViewKind = "whole") -> Framing:
        """Make a view of this kind for a network's preprocessing."""
        size = preprocessing.size
        if kind != "ten":
            return cls(kind, size, (Crop(0, 0),), preprocessing)
        squashed_size = _wider(preprocessing)
        room = squashed_size[0] - size[0], squashed_size[1] - size[1]
        corners = [(top, left) for top in (0, room[0]) for left in (0, room[1])] + [(room[0] // 2, room[1] // 2)]
        crops = tuple(Crop(*corner, mirrored) for mirrored in (False, True) for corner in corners)
        return cls(kind, squashed_size, crops, preprocessing)

    def picture(self, photograph: Image.Image) -> Image.Image:
        """The view of a photograph."""
        if self.kind == "centre":
            return self.preprocessing.frame(photograph)
        return replace(self.preprocessing, size=self.size).whole(photograph)

    def tensors(self, photograph: Image.Image) -> Float32[Tensor, "crops channels h w"]:
        """The crops, preprocessed."""
        height, width = self.preprocessing.size
        whole = self.preprocessing.tensor(self.picture(photograph))
        parts = [whole[:, crop.top : crop.top + height, crop.left : crop.left + width] for crop in self.crops]
        if len(parts) == 1:
            return parts[0][None]
        return torch.stack(
            [part.flip(2) if crop.mirrored else part for crop, part in zip(self.crops, parts, strict=True)]
        )

    def joined(self, maps: Float[np.ndarray, "crops h w"]) -> Float32[np.ndarray, "H W"]:
        """The crops' maps, joined into one map of the view."""
        if len(self.crops) == 1:
            single_map: Float32[np.ndarray, "H W"] = maps[0].astype(np.float32)
            return single_map
        total, coverage = np.zeros(self.size), np.zeros(self.size)
        for crop, values in zip(self.crops, maps, strict=True):
            window = np.s_[crop.top : crop.top + values.shape[0], crop.left : crop.left + values.shape[1]]
            total[window] += values[:, ::-1] if crop.mirrored else values
            coverage[window] += 1
        joined: Float32[np.ndarray, "H W"] = (total / np.maximum(coverage, 1)).astype(np.float32)
        return joined

    def truth(self, location: ObjectLocation, photograph: Image.Image) -> Truth | None:
        """Where an object is in the view of a photograph; None if the view shows nothing of it."""
        boxes = self._boxes(location.boxes, photograph)
        region = filled(boxes, self.size) if location.mask is None else self.mask(location.mask, photograph)
        return Truth(boxes, region, location.mask is not None) if region.any() else None

    def mask(self, mask: Bool[np.ndarray, "h w"], photograph: Image.Image) -> Bool[np.ndarray, "H W"]:
        """A mask over a photograph as one over its view: the nearest pixel at half-pixel centres."""
        height, width = mask.shape
        left, top, right, bottom = self.window(photograph)
        extent = left * width, top * height, right * width, bottom * height
        image = Image.fromarray(mask.astype(np.uint8))
        rows, columns = self.size
        in_view = image.transform((columns, rows), Image.Transform.EXTENT, extent, Image.Resampling.NEAREST)
        covered: Bool[np.ndarray, "H W"] = np.asarray(in_view) > 0
        return covered

    def _boxes(self, shares: Float64[np.ndarray, "boxes 4"], photograph: Image.Image) -> Float64[np.ndarray, "seen 4"]:
        left, top, right, bottom = self.window(photograph)
        height, width = self.size
        scale = np.array([width / (right - left), height / (bottom - top)] * 2)
        boxes = ((shares - (left, top, left, top)) * scale).clip(0, (width, height, width, height))
        visible: Float64[np.ndarray, "seen 4"] = boxes[(boxes[:, 2] > boxes[:, 0]) & (boxes[:, 3] > boxes[:, 1])]
        return visible

    def window(self, photograph: Image.Image) -> tuple[float, float, float, float]:
        """The part of the photograph that the view shows, as shares of its width and height."""
        if self.kind != "centre":
            return 0.0, 0.0, 1.0, 1.0
        width, height = photograph.size
        left, top, right, bottom = self.preprocessing.window(photograph.size)
        return left / width, top / height, right / width, bottom / height


def _wider(preprocessing: Preprocessing) -> tuple[int, int]:
    """Size of the squashed photograph that ten crops are cut from: the preprocessing's, if it leaves room for them."""
    resize, size = preprocessing.resize, preprocessing.size
    resized = (resize, resize) if isinstance(resize, int) else resize
    if resized[0] > size[0] and resized[1] > size[1]:
        return resized
    return round(size[0] * _ROOM), round(size[1] * _ROOM)


def filled(boxes: Float64[np.ndarray, "boxes 4"], size: tuple[int, int]) -> Bool[np.ndarray, "h w"]:
    """The pixels of a view whose centre is inside any of the boxes."""
    rows, columns = (np.arange(length) + 0.5 for length in size)
    in_columns = (columns >= boxes[:, :1]) & (columns < boxes[:, 2:3])
    in_rows = (rows >= boxes[:, 1:2]) & (rows < boxes[:, 3:])
    inside: Bool[np.ndarray, "h w"] = np.asarray((in_rows[:, :, None] & in_columns[:, None]).any(0))
    return inside
