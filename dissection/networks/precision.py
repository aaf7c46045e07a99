"""The arithmetic that a network runs in.

``float32``
    IEEE single precision, as the network computes it anywhere. (PyTorch itself lets convolutions on a GPU round their
    inputs to 10 bits; here they do not.)
``fast``
    single precision with the machine's fastest layout and rounding: channels last, and TF32 on a GPU.
``bfloat16``
    channels last, and PyTorch's automatic mixed precision with bfloat16.

Other arithmetic gives other activations, so the precision is part of a run's key. All that follows is always exact.
"""

from __future__ import annotations

from contextlib import contextmanager
from threading import Lock
from typing import TYPE_CHECKING, Any, get_args

import torch

from dissection.errors import NetworkError
from dissection.vocabulary import Precision

if TYPE_CHECKING:
    from collections.abc import Iterator

    from jaxtyping import Float
    from torch import Tensor

PRECISIONS: tuple[Precision, ...] = get_args(Precision)


@contextmanager
def arithmetic(precision: Precision, device: torch.device) -> Iterator[None]:
    """Let networks on a device compute in a precision; the former settings are restored when the last one has run.

    The settings are the process's: of threads that run networks in different precisions, the last to begin decides.

    Raises:
        NetworkError: if there is no such precision.
    """
    if precision not in PRECISIONS:
        raise NetworkError(f"precision {precision!r} is not known; choose one of {', '.join(PRECISIONS)}")
    held = _SETTINGS.hold("ieee" if precision == "float32" else "tf32")
    try:
        with torch.autocast(device.type, torch.bfloat16, enabled=precision == "bfloat16"):
            yield
    finally:
        _SETTINGS.release(held)


class _Settings:
    """How single precision is computed, as whoever holds it wants; of several, the last."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._held: list[tuple[object, str]] = []
        self._before: list[str] = []

    def hold(self, value: str) -> object:
        held = object()
        with self._lock:
            if not self._held:
                self._before = [setting.fp32_precision for setting in _backends()]
            self._held.append((held, value))
            self._apply()
        return held

    def release(self, held: object) -> None:
        with self._lock:
            self._held = [entry for entry in self._held if entry[0] is not held]
            self._apply()

    def _apply(self) -> None:
        values = [self._held[-1][1]] * len(self._before) if self._held else self._before
        for setting, value in zip(_backends(), values, strict=True):
            setting.fp32_precision = value


def _backends() -> tuple[Any, ...]:
    return torch.backends.cudnn.conv, torch.backends.cuda.matmul  # type: ignore[attr-defined]


_SETTINGS = _Settings()


def laid_out(
    images: Float[Tensor, "images channels H W"], precision: Precision
) -> Float[Tensor, "images channels H W"]:
    """The same images in the memory layout of a precision; a convolutional network keeps the layout of its input."""
    if precision == "float32":
        return images.contiguous()
    return images.contiguous(memory_format=torch.channels_last)


def widened(values: Tensor) -> Tensor:
    """The same values in single precision at least, as alphas and thresholds are."""
    return values.float() if values.dtype in {torch.bfloat16, torch.float16} else values
