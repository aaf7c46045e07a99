"""Preprocessing as other libraries write it down, read exactly or refused with the step that cannot be.

A network comes with ``weights.transforms()``, with a ``Compose`` of torchvision's transforms (of either version), or
with timm's data config. Each is read as one :class:`Preprocessing`: resize, crop the centre, scale to [0, 1] and
normalise. The tensors are equal to the bit; but ``ToDtype(scale=True)`` of v2 multiplies by 1/255 where all others
divide by 255, and ``ToDtype(scale=False)`` normalises other numbers, so that single precision rounds them otherwise: by
less than 1e-6 of a deviation.

A photograph that is a tensor already is resized by other arithmetic, from which colours can come out otherwise by a
fifth of their range: such a step is refused.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from math import floor
from typing import Any, TypeAlias

import torch
from torch import nn

from dissection.errors import AssumedPreprocessingWarning, NetworkError, not_taken

from .preprocessing import Preprocessing

PreprocessingLike: TypeAlias = Preprocessing | Mapping[str, Any] | Callable[..., Any]
"""A preprocessing, timm's data config, or transforms of torchvision or timm."""

_SIDES = 2
_TIMM_CROP = 0.875
"""Share of the resized photograph that is cropped where timm's config does not say it."""


def preprocessing_of(source: PreprocessingLike) -> Preprocessing:
    """The preprocessing that another library's transforms or config describe.

    Args:
        source: ``weights.transforms()`` of a classifier of torchvision; a ``Compose`` or ``nn.Sequential`` of
            transforms of torchvision (v1 or v2) or timm; timm's data config; or a :class:`Preprocessing`, which is
            returned.

    Raises:
        NetworkError: if a step cannot be read exactly; the message names it.
        TypeError: if it is nothing of all this.
    """
    if isinstance(source, Preprocessing):
        return source
    if isinstance(source, Mapping):
        return _of_timm(source)
    if _kind(source) == "ImageClassification":
        return _of_preset(source)
    if isinstance(source, type) or not callable(source):
        raise not_taken(
            "preprocessing",
            source,
            "a Preprocessing, weights.transforms(), a Compose of torchvision's transforms, or timm's data config",
        )
    pipeline = _Pipeline()
    for step in _steps(source):
        pipeline.take(step)
    return pipeline.preprocessing()


def assumed_preprocessing(module: nn.Module, name: str) -> Preprocessing:
    """What ImageNet's networks expect, with a warning unless the network itself says that it expects just that."""
    config = getattr(module, "pretrained_cfg", None) or getattr(module, "default_cfg", None)
    usual = Preprocessing()
    if isinstance(config, Mapping) and config.get("input_size"):
        with suppress(NetworkError):
            if _of_timm(config) == usual:
                return usual
        sides = " x ".join(map(str, config["input_size"][1:]))
        advice = f"its own pretrained_cfg says {sides}, so give that: preprocessing=module.pretrained_cfg"
    else:
        side = _stated_side(module)
        advice = (f"it says {side} itself; " if side else "") + (
            "give preprocessing=, such as weights.transforms() or Preprocessing(size=64), or --input-size, --mean and "
            "--std on the command line"
        )
    warnings.warn(
        f"nothing says what {name} expects of a photograph, so 224 x 224 pixels and ImageNet's mean and deviation are "
        f"assumed; {advice}",
        AssumedPreprocessingWarning,
        stacklevel=3,
    )
    return usual


def _stated_side(module: nn.Module) -> str:
    """The size of image that a network's attributes or config name; empty if none do."""
    holders = module, getattr(module, "config", None), getattr(module, "patch_embed", None)
    for holder in holders:
        for name in ("image_size", "img_size", "input_size"):
            value = getattr(holder, name, None)
            if isinstance(value, int | tuple | list):
                return f"{name} {value}"
    return ""


def _of_timm(config: Mapping[str, Any]) -> Preprocessing:
    """What timm's evaluation transform does with a config: resize by ``crop_pct``, crop the centre, normalise."""
    if missing := [key for key in ("input_size", "mean", "std") if not config.get(key)]:
        raise NetworkError(
            f"the preprocessing lacks {', '.join(missing)}; give timm.data.resolve_model_data_config(model), or a "
            "Preprocessing"
        )
    channels, height, width = config["input_size"]
    share, mode = config.get("crop_pct") or _TIMM_CROP, config.get("crop_mode") or "center"
    sides = floor(height / share), floor(width / share)
    if mode not in {"center", "squash"}:
        raise NetworkError(f"timm's crop mode {mode!r} adds a border, which cannot be read; center or squash is needed")
    if mode == "center" and sides[0] != sides[1]:
        raise NetworkError(
            f"timm resizes photographs to cover {sides[0]} x {sides[1]} pixels, which cannot be read exactly; give a "
            "Preprocessing that comes near it"
        )
    interpolation = config.get("interpolation") or "bicubic"
    return Preprocessing(
        (height, width),
        sides[0] if mode == "center" else sides,
        tuple(config["mean"]),
        tuple(config["std"]),
        "bilinear" if interpolation == "random" else interpolation,
        channels,
    )


def _of_preset(preset: Any) -> Preprocessing:  # noqa: ANN401 -- torchvision is not typed
    pipeline = _Pipeline()
    pipeline.resize(preset, preset.resize_size, preset.interpolation)
    pipeline.crop(preset, preset.crop_size)
    pipeline.scale()
    pipeline.normalise(preset)
    return pipeline.preprocessing()


def _steps(source: object) -> Iterator[object]:
    """The single steps of transforms in transforms."""
    if _kind(source) == "Compose":
        inner: Sequence[object] = source.transforms  # type: ignore[attr-defined]
    elif type(source) is nn.Sequential:
        inner = list(source)
    else:
        yield source
        return
    for step in inner:
        yield from _steps(step)


def _kind(step: object) -> str:
    """The name of a class of torchvision's or timm's transforms; of any other class nothing, subclasses among them."""
    room = type(step).__module__
    known = room.startswith(("torchvision.transforms.", "timm.data.transforms")) or type(step) is nn.Identity
    return type(step).__name__ if known else ""


@dataclass
class _Pipeline:
    """What transforms have done to a photograph so far.

    Attributes:
        resized: shorter side, or height and width, that it was resized to.
        cropped: height and width of the crop.
        numbers: what its pixels are: ``bytes`` of a picture, ``byte tensor``, or ``floats``.
        white: the value of white, if they are floats.
        mean: what was subtracted.
        std: what the difference was divided by.
        channels: 1 for grey.
        interpolation: how it was resized.
    """

    resized: tuple[int, int] | int | None = None
    cropped: tuple[int, int] | None = None
    numbers: str = "bytes"
    white: float = 1
    mean: tuple[Any, ...] = ()
    std: tuple[Any, ...] = ()
    channels: int = 3
    interpolation: str = "bilinear"

    def take(self, step: Any) -> None:  # noqa: ANN401, C901 -- torchvision is not typed; a case for each transform
        """Follow one more step.

        Raises:
            NetworkError: if it cannot be read exactly.
        """
        match _kind(step):
            case "Resize":
                if getattr(step, "max_size", None) is not None:
                    raise _unreadable(step, "it limits the longer side (max_size); leave that out")
                self.resize(step, step.size, step.interpolation)
            case "CenterCrop":
                self.crop(step, step.size)
            case "Grayscale":
                self.grey(step)
            case "ToTensor" | "MaybeToTensor":
                self.scale()
            case "PILToTensor" | "MaybePILToTensor" | "ToImage":
                self.numbers = "byte tensor" if self.numbers == "bytes" else self.numbers
            case "ConvertImageDtype":
                self.convert(step, step.dtype, is_scaled=True)
            case "ToDtype":
                self.convert(step, step.dtype, is_scaled=step.scale)
            case "Normalize":
                self.normalise(step)
            case "RGB" if self.channels == 1:
                raise _unreadable(step, "it makes three channels of one again; leave out Grayscale or this step")
            case "RGB" | "Identity" | "ToPureTensor":
                pass
            case _:
                raise _unreadable(
                    step,
                    "only Resize, CenterCrop, Grayscale, ToTensor and its like, and Normalize can; give a "
                    "Preprocessing instead",
                )

    def resize(self, step: object, size: Sequence[int] | int, interpolation: Any) -> None:  # noqa: ANN401
        """Resize to a shorter side, or to height and width."""
        if self.resized is not None or self.cropped is not None:
            raise _unreadable(step, "the photograph has been resized or cropped before; keep one of the two")
        if self.numbers != "bytes" or self.channels == 1:
            before = "Grayscale" if self.channels == 1 else "the step that makes a tensor"
            raise _unreadable(step, f"after {before} it rounds otherwise; put it first")
        self.interpolation = str(getattr(interpolation, "value", interpolation))
        if self.interpolation not in {"bilinear", "bicubic", "lanczos"}:
            raise _unreadable(
                step, f"its interpolation is {self.interpolation}; bilinear, bicubic or lanczos is needed"
            )
        sides = (size,) if isinstance(size, int) else tuple(size or ())
        if len(sides) not in {1, _SIDES}:
            raise _unreadable(step, "it says no size; give it one")
        self.resized = sides[0] if len(sides) == 1 else (sides[0], sides[1])

    def crop(self, step: object, size: Sequence[int] | int) -> None:
        """Crop the centre."""
        if self.resized is None or self.cropped is not None:
            raise _unreadable(step, "one Resize is needed before it, and no other CenterCrop")
        sides = (size,) if isinstance(size, int) else tuple(size)
        self.cropped = (sides[0], sides[-1])
        shorter = (self.resized,) * _SIDES if isinstance(self.resized, int) else self.resized
        if self.mean and any(side > least for side, least in zip(self.cropped, shorter, strict=True)):
            raise _unreadable(
                step, "after Normalize, what it adds around the photograph is not black; put it before Normalize"
            )

    def grey(self, step: Any) -> None:  # noqa: ANN401
        """Make one channel of three."""
        if self.numbers != "bytes" or step.num_output_channels != 1:
            raise _unreadable(step, "one channel made of a photograph that is not yet a tensor is needed")
        self.channels = 1

    def convert(self, step: object, dtype: object, *, is_scaled: bool) -> None:
        """Make floats of bytes."""
        if self.numbers == "byte tensor" and dtype == torch.uint8:
            return
        if self.numbers == "bytes" or dtype != torch.float32:
            raise _unreadable(step, "a tensor made float32 is needed")
        if self.numbers == "byte tensor":
            self.numbers, self.white = "floats", 1 if is_scaled else 255

    def scale(self) -> None:
        """Make floats up to 1 of bytes, as ``ToTensor`` does, which leaves tensors alone."""
        if self.numbers == "bytes":
            self.numbers = "floats"

    def normalise(self, step: Any) -> None:  # noqa: ANN401
        """Subtract the mean and divide by the deviation."""
        if self.numbers != "floats" or self.mean:
            raise _unreadable(step, "float32 numbers that are not yet normalised are needed")
        self.mean, self.std = (self._by_channel(step, values) for values in (step.mean, step.std))

    def preprocessing(self) -> Preprocessing:
        """All steps as one preprocessing.

        Raises:
            NetworkError: if they do not end in a tensor of float32 numbers of one size.
        """
        if self.numbers != "floats":
            raise NetworkError("the preprocessing ends without float32 numbers; add ToTensor, or ToDtype")
        if self.resized is None:
            raise NetworkError("the preprocessing leaves photographs at their size; add Resize")
        if self.cropped is None and isinstance(self.resized, int):
            raise NetworkError(
                f"the preprocessing resizes the shorter side to {self.resized} and leaves the longer one as it comes; "
                f"add CenterCrop({self.resized}), or use Resize(({self.resized}, {self.resized}))"
            )
        mean, std = self.mean or (0.0,) * self.channels, self.std or (1.0,) * self.channels
        if self.white != 1:
            mean, std = (tuple(value / self.white for value in values) for values in (mean, std))
        size = self.cropped or self.resized
        return Preprocessing(size, self.resized, mean, std, self.interpolation, self.channels)

    def _by_channel(self, step: object, values: Iterable[Any]) -> tuple[Any, ...]:
        numbers = tuple(values)
        if len(numbers) not in {1, self.channels}:
            raise _unreadable(step, f"{len(numbers)} numbers do not fit {self.channels} channels; give one for each")
        return numbers * (self.channels // len(numbers))


def _unreadable(step: object, reason: str) -> NetworkError:
    shown = repr(step) if _kind(step) else getattr(step, "__qualname__", type(step).__name__)
    shown = " ".join(shown.split())
    return NetworkError(f"the step {shown} of the preprocessing cannot be read: {reason}")
