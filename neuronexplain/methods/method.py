"""What every explanation is: a map, and where it comes from."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, TypeAlias

if TYPE_CHECKING:
    from jaxtyping import Float
    from torch import Tensor

    from dissection.networks.network import Network

    from .targets import Target

Kind = Literal["heat", "signed", "pixels"]
Compute: TypeAlias = Callable[["Network", "Tensor", "Target"], "Tensor"]
"""What makes maps of images, for a target."""


@dataclass(frozen=True, slots=True)
class Method:
    """A way to explain one score of a network by a map over the image.

    Attributes:
        name: what a user calls it by.
        title: what a reader calls it.
        says: what its map shows, in a few words.
        reference: where it is defined; without a name, in Selvaraju et al. 2019.
        kind: ``heat`` is nowhere negative; ``signed`` speaks for and against; ``pixels`` has a value for each colour
            of each pixel.
        compute: what the map is computed by; see :meth:`attribution`.
    """

    name: str
    title: str
    says: str
    reference: str
    kind: Kind
    compute: Compute

    def attribution(
        self, network: Network, images: Float[Tensor, "images channels H W"], target: Target
    ) -> Float[Tensor, "images layers H W"]:
        """The map at the resolution of the images, as it is shown: of one layer, or for ``pixels`` one for each colour.

        Raises:
            NetworkError: if the method is not defined for the network or the target; the message says why.
        """
        return self.compute(network, images, target)

    def maps(
        self, network: Network, images: Float[Tensor, "images channels H W"], target: Target
    ) -> Float[Tensor, "images H W"]:
        """How much each pixel matters. For ``pixels``, the largest magnitude over its colours (Simonyan et al. 2014).

        Args:
            network: the network, explained at its layer.
            images: what the network is given: preprocessed photographs.
            target: what is explained, see :mod:`neuronexplain.methods.targets`.

        Raises:
            NetworkError: if the method is not defined for the network or the target; the message says why.
        """
        found = self.attribution(network, images, target)
        return found.abs().amax(1) if self.kind == "pixels" else found[:, 0]
