"""What a score loses where a patch of the image is covered.

Zeiler and Fergus 2014, Sec. 4.2; the reference that Selvaraju et al. 2019, Sec. 5.3 compare maps with.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from dissection.networks.forward import outputs_through

from .targets import scored

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from jaxtyping import Float

    from dissection.networks.network import Network

    from .targets import Target

Window = tuple[slice, slice]
NOTHING: Window = (slice(0), slice(0))


@dataclass(frozen=True, slots=True)
class Occlusion:
    """Occlusion maps: at each pixel, the mean over all patches that cover it of the score's fall, ``y(x) - y(x')``.

    The score is the target's, whatever that is: for a class its logit, and its probability for the target
    :func:`~neuronexplain.methods.probability`. Patches are square; the last of a row or column may end at the border.

    Attributes:
        patch: side of a patch in pixels; a seventh of the image's shorter side unless given (32 of 224).
        stride: pixels from one patch to the next; half a patch unless given.
        fill: what a patch is filled with, in the units of the network's input: one number or one for each colour.
            With 0, that is the mean colour of a photograph whose mean the preprocessing subtracts.
        batch_size: patches in one forward pass.
        progress: is told how many patches are done, of how many: a large network takes long.
    """

    patch: int | None = None
    stride: int | None = None
    fill: float | Sequence[float] = 0.0
    batch_size: int = 64
    progress: Callable[[int, int], object] | None = None

    def __call__(
        self, network: Network, images: Float[Tensor, "images channels H W"], target: Target
    ) -> Float[Tensor, "images 1 H W"]:
        """The map: one forward pass for each patch, and one without."""
        windows = self.windows(images.shape[2], images.shape[3])
        falls = self.falls(network, images, target, windows)
        totals, covers = torch.zeros_like(images[:, :1]), torch.zeros_like(images[:1, :1])
        for window, fall in zip(windows, falls.T, strict=True):
            totals[..., window[0], window[1]] += fall[:, None, None, None]
            covers[..., window[0], window[1]] += 1
        return totals / covers.clamp(min=1)

    def windows(self, height: int, width: int) -> list[Window]:
        """Where the patches lie, row by row."""
        patch = self.patch or max(1, min(height, width) // 7)
        stride = self.stride or max(1, patch // 2)
        return list(product(_steps(height, patch, stride), _steps(width, patch, stride)))

    def falls(
        self,
        network: Network,
        images: Float[Tensor, "images channels H W"],
        target: Target,
        windows: Sequence[Window],
    ) -> Float[Tensor, "images windows"]:
        """How much each image's score falls with each of these patches covered."""
        queue = list(product(range(len(images)), [NOTHING, *windows]))
        scores = []
        for start in range(0, len(queue), self.batch_size):
            scores.append(self._scores(network, images, target, queue[start : start + self.batch_size]))
            if self.progress is not None:
                self.progress(min(start + self.batch_size, len(queue)), len(queue))
        found = torch.cat(scores).view(len(images), 1 + len(windows))
        return found[:, :1] - found[:, 1:]

    def _scores(
        self,
        network: Network,
        images: Float[Tensor, "images channels H W"],
        target: Target,
        batch: Sequence[tuple[int, Window]],
    ) -> Float[Tensor, " batch"]:
        """Scores of images, each with one window covered."""
        numbers = torch.tensor([image for image, _ in batch])
        given = images.detach()[numbers.to(images.device)]
        fill = torch.as_tensor(self.fill, dtype=given.dtype, device=given.device).reshape(-1, 1, 1)
        for image, (_, window) in zip(given, batch, strict=True):
            image[:, window[0], window[1]] = fill
        outputs, _ = outputs_through(network, [], given)
        wanted = target[numbers.to(target.device)] if isinstance(target, Tensor) and target.ndim else target
        return scored(network, outputs, wanted, len(batch)).detach().to(images.device)


def _steps(length: int, patch: int, stride: int) -> Iterator[slice]:
    """Patches along one side, as few as reach its end."""
    start = 0
    while True:
        yield slice(start, min(start + patch, length))
        if start + patch >= length:
            return
        start += stride
