"""How a photograph becomes a network's input: resize, centre crop, normalise, as torchvision's presets do it.

The arithmetic is torchvision's (``Resize``, ``CenterCrop``, ``ToTensor``, ``Normalize`` on a PIL image), to the bit. It
is written out because the pages also need the crop's place in the photograph, which torchvision does not report.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, replace
from numbers import Integral
from typing import TYPE_CHECKING, Any, Self, SupportsFloat, SupportsIndex

import numpy as np
import torch
from PIL import Image

from dissection.errors import NetworkError, not_taken
from dissection.execution.kernels import kernel
from dissection.execution.slices import in_slices

if TYPE_CHECKING:
    from jaxtyping import Float32, UInt8
    from torch import Tensor

IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_STD = (0.229, 0.224, 0.225)

_RESAMPLING = {
    "bilinear": Image.Resampling.BILINEAR,
    "bicubic": Image.Resampling.BICUBIC,
    "lanczos": Image.Resampling.LANCZOS,
}
_FIELD_OF_VIEW = 256 / 224
_NEEDED = {1: "one number is needed, for grey", 3: "three numbers are needed, for red, green and blue"}
_LUMA = (19595, 38470, 7471)
"""ITU-R BT.601's 0.299, 0.587 and 0.114, in units of 1/65536."""


@dataclass(frozen=True, slots=True, init=False)
class Preprocessing:
    """What a network expects of a photograph.

    Attributes:
        size: height and width of the network's input, in pixels; one number stands for a square.
        resize: length of the photograph's shorter side before the crop, or its exact height and width; by default
            256/224 of the input's shorter side, which is ImageNet's field of view.
        mean: subtracted from red, green and blue in [0, 1], or from grey.
        std: what the difference is divided by.
        interpolation: ``bilinear``, ``bicubic`` or ``lanczos``, all antialiased.
        channels: 3 for red, green and blue; 1 for grey, the luma of ITU-R BT.601 as PIL rounds it.

    Raises:
        NetworkError: if a value is invalid.
        TypeError: if a value is of another kind.
    """

    size: tuple[int, int]
    resize: tuple[int, int] | int
    mean: tuple[float, ...]
    std: tuple[float, ...]
    interpolation: str
    channels: int

    def __init__(
        self,
        size: Sequence[int] | SupportsIndex = 224,
        resize: Sequence[int] | SupportsIndex | None = None,
        mean: Iterable[SupportsFloat] = IMAGENET_MEAN,
        std: Iterable[SupportsFloat] = IMAGENET_STD,
        interpolation: str = "bilinear",
        channels: int = 3,
    ) -> None:
        height_and_width = _sides("input size", size)
        if resize is None:
            resize = round(_FIELD_OF_VIEW * min(height_and_width))
        resized = _sides("resize", resize)
        if channels not in _NEEDED:
            raise NetworkError(
                f"a photograph has red, green and blue, from which {channels} channels cannot be made; --channels "
                "is 3 or 1 (grey): wrap the network in a module that makes the channels it takes"
            )
        deviations = _numbers("std", std, channels)
        if min(deviations) <= 0:
            raise NetworkError(f"std is {deviations}; numbers above 0 are needed")
        if interpolation not in _RESAMPLING:
            raise NetworkError(f"interpolation {interpolation!r} is not known; choose one of {', '.join(_RESAMPLING)}")
        values = {
            "size": height_and_width,
            "resize": resized[0] if isinstance(resize, Integral) else resized,
            "mean": _numbers("mean", mean, channels),
            "std": deviations,
            "interpolation": interpolation,
            "channels": channels,
        }
        for name, value in values.items():
            object.__setattr__(self, name, value)

    def frame(self, photo: Image.Image) -> Image.Image:
        """What the network sees of a photograph: resized and centre-cropped to ``size``."""
        (width, height), resized = self.size[::-1], self._resized(photo)
        left, top = _margin(resized.width, width), _margin(resized.height, height)
        return resized.crop((left, top, left + width, top + height))

    def whole(self, photo: Image.Image) -> Image.Image:
        """The whole photograph squashed to ``size``: label maps cover the whole frame."""
        height, width = self.size
        return self._scaled(photo, (width, height))

    def view(self, photo: Image.Image) -> Image.Image:
        """The same crop as :meth:`frame`, cut from the photograph at its own resolution."""
        left, top, right, bottom = map(round, self.window(photo.size))
        return _rgb(photo).crop((left, top, max(right, left + 1), max(bottom, top + 1)))

    def window(self, size: tuple[int, int]) -> tuple[float, float, float, float]:
        """Where :meth:`frame` lies in a photograph of this width and height, in its pixels: left, top, right, bottom.

        It reaches beyond the photograph if the network's input is larger than the resized photograph.
        """
        scaled = self._scaled_size(size)
        starts = [_margin(length, crop) for length, crop in zip(scaled, self.size[::-1], strict=True)]
        (left, right), (top, bottom) = (
            (start * original / length, (start + crop) * original / length)
            for start, original, length, crop in zip(starts, size, scaled, self.size[::-1], strict=True)
        )
        return left, top, right, bottom

    def tensor(self, image: Image.Image) -> Float32[Tensor, "channels h w"]:
        """Red, green and blue in [0, 1], or grey, normalised."""
        return self.normalised(torch.from_numpy(np.array(_rgb(image)))[None])[0].contiguous()

    def picture(self, values: Float32[Tensor, "channels h w"]) -> Image.Image:
        """The image that :meth:`tensor` was made from, or nearly: the colours are rounded to whole numbers."""
        mean, std = (torch.tensor(numbers).view(-1, 1, 1) for numbers in (self.mean, self.std))
        pixels = ((values.cpu() * std + mean) * 255).round().clamp(0, 255).byte()
        return Image.fromarray(pixels.expand(3, -1, -1).permute(1, 2, 0).numpy())

    def normalised(self, pixels: UInt8[Tensor, "images h w 3"]) -> Float32[Tensor, "images channels h w"]:
        """As :meth:`tensor`, for images of the network's size that are still bytes."""
        count = self.channels
        pixels = _grey(pixels) if count == 1 else pixels
        if pixels.device.type == "cpu":  # a byte has few values, so their results are looked up
            colours = torch.arange(256, dtype=torch.uint8).view(1, 1, 256, 1).expand(1, 1, 256, count)
            images = torch.empty(len(pixels), count, *pixels.shape[1:3])
            table = self._normalised(colours).reshape(count, 256).numpy()
            in_slices(_look_up, len(pixels), pixels.numpy(), table, images.numpy(), numbers=images.numel())
            return images
        return self._normalised(pixels)

    def _normalised(self, pixels: UInt8[Tensor, "images h w channels"]) -> Float32[Tensor, "images channels h w"]:
        mean, std = (torch.tensor(values, device=pixels.device).view(-1, 1, 1) for values in (self.mean, self.std))
        return pixels.permute(0, 3, 1, 2).float().div_(255).sub_(mean).div_(std)

    def changed(
        self,
        *,
        mean: Sequence[float] | None = None,
        std: Sequence[float] | None = None,
        input_size: int | None = None,
        resize: int | tuple[int, int] | None = None,
        channels: int | None = None,
    ) -> Preprocessing:
        """A copy with the values that are not ``None``.

        Without ``resize`` another input size keeps the field of view. Without ``mean`` and ``std``, grey takes the luma
        of those of the colours: exact for the mean, and for the deviation if colours vary together.
        """
        changes: dict[str, object] = {}
        if channels is not None and channels != self.channels:
            changes |= {
                "channels": channels,
                "mean": _of_grey(self.mean, channels),
                "std": _of_grey(self.std, channels),
            }
        if mean is not None:
            changes["mean"] = tuple(mean)
        if std is not None:
            changes["std"] = tuple(std)
        if input_size is not None:
            changes |= {"size": (input_size, input_size), "resize": self._resize_for(input_size)}
        if resize is not None:
            changes["resize"] = resize
        return replace(self, **changes)  # type: ignore[arg-type]

    @property
    def canonical(self) -> str:
        """All values as JSON text; equal values give equal text. Colour, the usual case, is left out."""
        values = {key: value for key, value in asdict(self).items() if (key, value) != ("channels", 3)}
        return json.dumps(values, sort_keys=True, separators=(",", ":"))

    @classmethod
    def from_canonical(cls, text: str) -> Self:
        """The preprocessing that :attr:`canonical` describes."""
        values: dict[str, Any] = json.loads(text)
        lists = {key: tuple(value) for key, value in values.items() if isinstance(value, list)}
        values.update(lists)
        return cls(**values)

    def _resized(self, photo: Image.Image) -> Image.Image:
        return self._scaled(photo, self._scaled_size(photo.size))

    def _scaled(self, photo: Image.Image, size: tuple[int, int]) -> Image.Image:
        return _rgb(photo).resize(size, _RESAMPLING[self.interpolation])

    def _scaled_size(self, size: tuple[int, int]) -> tuple[int, int]:
        """Width and height after ``Resize``; the longer side is rounded down."""
        if not isinstance(self.resize, int):
            return self.resize[1], self.resize[0]
        width, height = size
        if width <= height:
            return self.resize, int(self.resize * height / width)
        return int(self.resize * width / height), self.resize

    def _resize_for(self, input_size: int) -> tuple[int, int] | int:
        if isinstance(self.resize, int):
            return round(self.resize * input_size / min(self.size))
        height, width = (round(length * input_size / old) for length, old in zip(self.resize, self.size, strict=True))
        return height, width


@kernel
def _look_up(
    pixels: UInt8[np.ndarray, "images h w channels"],
    table: Float32[np.ndarray, "channels 256"],
    images: Float32[np.ndarray, "images channels h w"],
    start: int,
    stop: int,
) -> None:
    for image in range(start, stop):
        for y in range(pixels.shape[1]):
            for x in range(pixels.shape[2]):
                for colour in range(pixels.shape[3]):
                    images[image, colour, y, x] = table[colour, pixels[image, y, x, colour]]


def _margin(length: int, crop: int) -> int:
    """Where a centred crop begins; negative, so that black is added, if ``length`` is too short (``CenterCrop``)."""
    return round((length - crop) / 2) if length >= crop else -((crop - length) // 2)


def _rgb(image: Image.Image) -> Image.Image:
    return image if image.mode == "RGB" else image.convert("RGB")


def _sides(name: str, value: object) -> tuple[int, int]:
    lengths = (value, value) if isinstance(value, Integral) else value
    if isinstance(lengths, str) or not isinstance(lengths, Sequence):
        raise not_taken(name, value, "a whole number of pixels, or height and width")
    if len(lengths) != 2 or any(length != int(length) for length in lengths) or min(lengths) < 1:
        raise NetworkError(f"{name} is {tuple(lengths)}; whole numbers of pixels above 0 are needed")
    height, width = lengths
    return int(height), int(width)


def _numbers(name: str, values: object, count: int) -> tuple[float, ...]:
    if isinstance(values, str) or not isinstance(values, Iterable):
        raise not_taken(name, values, f"a sequence of numbers, one for each of {count} channels")
    numbers = tuple(map(_number, values))
    if len(numbers) != count or not np.isfinite(numbers).all():
        raise NetworkError(f"{name} is {numbers}; {_NEEDED[count]}")
    return numbers


def _number(value: SupportsFloat) -> float:
    """The number; of one in single precision the shortest that it stands for, such as 0.485 for 0.48500001430511475."""
    return float(str(np.float32(value))) if str(getattr(value, "dtype", "")).endswith("float32") else float(value)


def _grey(pixels: UInt8[Tensor, "images h w 3"]) -> UInt8[Tensor, "images h w 1"]:
    weighted = (pixels.int() * torch.tensor(_LUMA, device=pixels.device)).sum(3, keepdim=True)
    return ((weighted + 0x8000) >> 16).to(torch.uint8)


def _of_grey(values: Sequence[float], channels: int) -> tuple[float, ...]:
    if channels == 1 and len(values) == 3:
        return (sum(weight * value for weight, value in zip(_LUMA, values, strict=True)) / 65536,)
    return tuple(values) * channels if len(values) == 1 else tuple(values)
