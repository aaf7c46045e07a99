"""A module that is run in another way than by its ``forward`` alone: with a question, or a caption to be judged."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from torch import nn

from .isolation import share_lock, undisturbed

if TYPE_CHECKING:
    from jaxtyping import Float
    from torch import Tensor


class Call(Protocol):
    """Runs a module on images.

    It holds the module in an attribute of its own, rather than in a closure, so that a copy of it runs a copy of that.
    """

    @property
    def module(self) -> nn.Module:
        """What it runs."""
        ...

    def __call__(self, images: Float[Tensor, "images channels H W"]) -> object:
        """What the module says of the images."""
        ...


class Called(nn.Module):
    """The same parts under the same names as those of a module, run by a call.

    Parts, parameters and buffers are the module's own, so that both move and change together.
    """

    def __init__(self, call: Call) -> None:
        super().__init__()
        self._call = call
        self._modules = call.module._modules  # noqa: SLF001 -- the very same, so that names lead to the same parts
        self._parameters = call.module._parameters  # noqa: SLF001
        self._buffers = call.module._buffers  # noqa: SLF001
        share_lock(self, call.module)

    def forward(self, images: Float[Tensor, "images channels H W"]) -> object:
        """Run the call; the module itself is in evaluation mode like its parts."""
        with undisturbed(self._call.module):
            return self._call(images)
