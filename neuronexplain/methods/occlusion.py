"""How much a score falls when a patch of the image is covered.

Zeiler and Fergus 2014, Sec. 4.2; Selvaraju et al. 2019, Sec. 5.3, use it as the reference for other maps.
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
    """Occlusion maps: at each pixel, the score's fall ``y(x) - y(x')``, averaged over all patches that cover the pixel.

    The score is the target's: for a class its logit, for :func:`~neuronexplain.methods.probability` its probability.
    Patches are square; the last of a row or column may end at the border.

    Attributes:
        patch: side of a patch in pixels; by default a seventh of the image's shorter side (32 of 224).
        stride: pixels from one patch to the next; by default half a patch.
        fill: what a patch is filled with, in the units of the network's input: one number or one for each colour.
            0 is the mean colour of a photograph, if the preprocessing subtracts the mean.
        batch_size: patches in one forward pass.
        progress: called with the numbers of finished and of all patches: a large network takes long.
    """

    patch: int | None = None
    stride: int | None = None
    fill: float | Sequence[float] = 0.0
    batch_size: int = 64
    progress: Callable[[int, int], object] | None = None

    def __call__(
        self, network: Network, images: Float[Tensor, "images channels H W"], target: Target
    ) -> Float[Tensor, "images 1 H W"]:
        """The map: one forward pass for each patch, and one without a patch."""
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
        """How much each image's score falls when each of these patches is covered."""
        queue = list(product(range(len(images)), [NOTHING, *windows]))
        scores = []
        for start in range(0, len(queue), self.batch_size):
            scores.append(self._scores(network, images, target, queue[start : start + self.batch_size]))
            if self.progress is not None:
                self.progress(min(start + self.batch_size, len(queue)), len(queue))
        score_table = torch.cat(scores).view(len(images), 1 + len(windows))
        return score_table[:, :1] - score_table[:, 1:]

    def _scores(
        self,
        network: Network,
        images: Float[Tensor, "images channels H W"],
        target: Target,
        batch: Sequence[tuple[int, Window]],
    ) -> Float[Tensor, " batch"]:
        """Scores of images, each with one window covered."""
        numbers = torch.tensor([image for image, _ in batch])
        covered = images.detach()[numbers.to(images.device)]
        fill = torch.as_tensor(self.fill, dtype=covered.dtype, device=covered.device).reshape(-1, 1, 1)
        for image, (_, window) in zip(covered, batch, strict=True):
            image[:, window[0], window[1]] = fill
        outputs, _ = outputs_through(network, [], covered)
        batch_target = target[numbers.to(target.device)] if isinstance(target, Tensor) and target.ndim else target
        return scored(network, outputs, batch_target, len(batch)).detach().to(images.device)


def _steps(length: int, patch: int, stride: int) -> Iterator[slice]:
    """Patches along one side, as few as are needed to reach its end."""
    start = 0
    while True:
        yield slice(start, min(start + patch, length))
        if start + patch >= length:
            return
        start += stride
