"""The arithmetic that a network runs in.

``float32``
    IEEE single precision, as the network computes it anywhere. (PyTorch itself lets convolutions on a GPU round their
    inputs to 10 bits; here they do not.)
``fast``
    single precision with the layout and the rounding that the machine is fastest at: channels last, and TF32 on a GPU.
``bfloat16``
    channels last, and PyTorch's automatic mixed precision with bfloat16.

Other arithmetic gives other activations, so it is part of a run's key. What follows the activations is exact in any.
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
    """Have networks on a device compute in a precision; what was set before is set again afterwards.

    Raises:
        NetworkError: if there is no such precision.
    """
    if precision not in PRECISIONS:
        raise NetworkError(f"precision {precision!r} is none of {', '.join(PRECISIONS)}")
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
    """The same images in the memory layout of a precision; a convolutional network goes on in the layout it is fed."""
    if precision == "float32":
        return images.contiguous()
    return images.contiguous(memory_format=torch.channels_last)


def widened(values: Tensor) -> Tensor:
    """The same values in single precision at least: so are alphas and thresholds."""
    return values.float() if values.dtype in {torch.bfloat16, torch.float16} else values
