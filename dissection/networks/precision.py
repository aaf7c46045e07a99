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
    """Let networks on a device compute in a precision; the former settings are restored afterwards.

    Raises:
        NetworkError: if there is no such precision.
    """
    if precision not in PRECISIONS:
        raise NetworkError(f"precision {precision!r} is not one of {', '.join(PRECISIONS)}")
    settings: tuple[Any, ...] = (torch.backends.cudnn.conv, torch.backends.cuda.matmul)  # type: ignore[attr-defined]
    before = [setting.fp32_precision for setting in settings]
    try:
        for setting in settings:
            setting.fp32_precision = "ieee" if precision == "float32" else "tf32"
        with torch.autocast(device.type, torch.bfloat16, enabled=precision == "bfloat16"):
            yield
    finally:
        for setting, value in zip(settings, before, strict=True):
            setting.fp32_precision = value


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
