"""What every method of explanation has: a way to compute a map, names, and a reference."""

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
"""Computes maps of images for a target."""


@dataclass(frozen=True, slots=True)
class Method:
    """A way to explain one score of a network by a map over the image.

    Attributes:
        name: its name for users.
        title: its name for readers.
        says: what its map shows, in a few words.
        reference: where it is defined; if no authors are named, in Selvaraju et al. 2019.
        kind: ``heat`` is nowhere negative; ``signed`` speaks for and against; ``pixels`` has a value for each colour
            of each pixel.
        compute: computes the map; see :meth:`attribution`.
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
        """The map as it is shown, at the resolution of the images: one layer, or for ``pixels`` one for each colour.

        Of a network that is read by features it explains the map that these are made of.

        Raises:
            NetworkError: if the method is not defined for the network or the target; the message says why.
        """
        return self.compute(network.plain, images, target)

    def maps(
        self, network: Network, images: Float[Tensor, "images channels H W"], target: Target
    ) -> Float[Tensor, "images H W"]:
        """How much each pixel matters. For ``pixels``, the largest magnitude over its colours (Simonyan et al. 2014).

        Args:
            network: the network, explained at its layer.
            images: preprocessed photographs.
            target: what is explained, see :mod:`neuronexplain.methods.targets`.

        Raises:
            NetworkError: if the method is not defined for the network or the target; the message says why.
        """
        attribution = self.attribution(network, images, target)
        return attribution.abs().amax(1) if self.kind == "pixels" else attribution[:, 0]
