"""One forward pass of a network, with the maps of its layers: the body without autograd, the head with it.

Images are given in the type of the network's weights. Autograd begins at the first tapped layer, so a pass costs no
more than usual, and a gradient stops at the map: no parameter's ``.grad`` is touched.
"""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch

from dissection.errors import NetworkError

from .isolation import undisturbed
from .language import Captioning
from .precision import arithmetic, laid_out, widened
from .recording import in_type_of
from .tap import Body, Cut, Graft, GuardedBody

if TYPE_CHECKING:
    from collections.abc import Sequence
    from contextlib import AbstractContextManager

    from jaxtyping import Bool, Float
    from torch import Tensor

    from dissection.vocabulary import Layer

    from .heads import Given
    from .network import Network


@dataclass(frozen=True, slots=True, eq=False)
class Pass:
    """One forward pass.

    Attributes:
        scores: logits; differentiable with respect to the activations. None, ``(images, 0)``, where only maps are read.
        activations: the rectified feature map ``A`` of each tapped layer.
        whole: where the tapped layer's units are the features of a dictionary, and that was asked for, the map that is
            put together from them; it has its place in the graph between them and the scores.
    """

    scores: Float[Tensor, "images classes"]
    activations: tuple[Float[Tensor, "images units h w"], ...]
    whole: Float[Tensor, "images whole_units h w"] | None = None

    @property
    def activation(self) -> Float[Tensor, "images units h w"]:
        """The feature map of the only tapped layer."""
        (activation,) = self.activations
        return activation

    @property
    def finite(self) -> tuple[Bool[Tensor, " images"], ...]:
        """By tapped layer, which images' maps hold neither a NaN nor an infinity."""
        return tuple(maps.detach().isfinite().flatten(1).all(1) for maps in self.activations)


def forward(network: Network, images: Float[Tensor, "images channels H W"]) -> Pass:
    """Run the body without autograd, and the head after the network's layer with it, for the cost of a forward pass.

    Raises:
        ActivationError: if the map's shape is not the same as when the network was opened.
        NetworkError: if the network gives anything but one row of scores per image.
    """
    return forward_through(network, [network.layer], images)


def forward_through(network: Network, layers: Sequence[Layer], images: Float[Tensor, "images channels H W"]) -> Pass:
    """Run the network once and read several layers; autograd begins at the first of them.

    Raises:
        ActivationError: if a map's shape is not the same as when the network was opened.
        NetworkError: if the network gives anything but one row of scores per image.
    """
    outputs, activations = outputs_through(network, layers, images)
    return Pass(scores_of(network, outputs, len(images)), activations)


def maps_through(network: Network, layers: Sequence[Layer], images: Float[Tensor, "images channels H W"]) -> Pass:
    """Run the network once and read several layers, whatever its answers are.

    Raises:
        ActivationError: if a map's shape is not the same as when the network was opened.
    """
    _, activations = outputs_through(network, layers, images)
    return Pass(activations[0].new_empty(len(images), 0), activations)


def outputs_through(
    network: Network, layers: Sequence[Layer], images: Float[Tensor, "images _ H W"]
) -> tuple[Given, tuple[Float[Tensor, "images _ _ _"], ...]]:
    """The network's outputs of any kind, and the maps of several layers.

    Autograd begins at the images if these require a gradient, and otherwise at the first of the layers.

    Raises:
        ActivationError: if a map's shape is not the same as when the network was opened.
    """
    body = body_of(network)
    if images.requires_grad:
        body.end()
    cuts = [Cut(network.module, layer, network.layouts.get(layer.name), body) for layer in layers]
    return run(network, [body, *cuts], images), tuple(cut.output for cut in cuts)


def forward_from(
    network: Network,
    maps: Float[Tensor, "images units h w"],
    images: Float[Tensor, "images channels H W"] | None = None,
) -> Pass:
    """The head's scores for feature maps, which need not come from any image.

    Args:
        network: the network.
        maps: what the layer gives, whatever the images are.
        images: what a branch beside the layer sees; by default blank.

    Raises:
        NetworkError: if the network gives anything but one row of scores per image.
    """
    if images is None:
        preprocessing = network.preprocessing
        images = torch.zeros(len(maps), preprocessing.channels, *preprocessing.size)
    body = body_of(network)
    graft = Graft(network.module, network.layer, network.layout, body, maps)
    outputs = run(network, [body, graft], images)
    return Pass(scores_of(network, outputs, len(maps)), (graft.output,))


def scores_of(network: Network, given: Given, images: int) -> Float[Tensor, "images classes"]:
    """The scores among a network's outputs, in single precision at least.

    Raises:
        NetworkError: if there is anything but one row of scores per image, or it is not said what the network is asked.
    """
    if network.language is not None:
        require_classes(network)
    scores = widened(network.head.scores(given, images))
    # A single number is read as the scores of "no" and "yes"; of a caption of one word, the word is "yes".
    return scores[:, -len(network.classes) :]


def require_classes(network: Network) -> None:
    """Check that a network has classes.

    Raises:
        NetworkError: if it has none; the message says what can be explained instead.
    """
    if network.classes:
        return
    match network.language:
        case Captioning():
            instead = "explain the words of its caption (--words, or explain_caption)"
        case None:
            instead = "give saliency a function of its outputs as target"
        case _:
            instead = "ask it a question (--question, or Network.asked)"
    raise NetworkError(f"{network.name} has no classes; {instead}")


def body_of(network: Network) -> Body:
    """What runs of a network before its layer, for one run."""
    return GuardedBody() if network.switches_autograd else Body()


def run(
    network: Network, watches: Sequence[AbstractContextManager[object]], images: Float[Tensor, "images channels H W"]
) -> Given:
    """Run a network inside context managers that watch it: cuts, and modes of PyTorch's functions."""
    with ExitStack() as running:
        running.enter_context(undisturbed(network.module))
        running.enter_context(arithmetic(network.precision, network.device))
        running.enter_context(torch.set_grad_enabled(images.requires_grad))
        for watch in watches:
            running.enter_context(watch)
        return network.head.run(network.module, laid_out(in_type_of(network.module, images), network.precision))
