"""Gives a network a dictionary, see :mod:`dissection.networks.dictionaries.taking_apart`, and tries it."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import torch

from dissection.errors import NetworkError
from dissection.networks.forward import forward, maps_through
from dissection.networks.isolation import share_lock
from dissection.networks.network_source import Source
from dissection.networks.recording import noise
from dissection.vocabulary import DICTIONARY_AT, Layer

from .taking_apart import AppliedDictionary, WithDictionary

if TYPE_CHECKING:
    from jaxtyping import Float
    from torch import Tensor

    from dissection.networks.forward import Pass
    from dissection.networks.network import Network

    from .dictionary import Dictionary

_TOLERANCE = 1e-4


def with_dictionary(network: Network, dictionary: Dictionary) -> Network:
    """The same network, whose units are the features of a dictionary; its answers stay what they are.

    Raises:
        NetworkError: if the dictionary is of another number of units than the network's layer, takes its map apart so
            that the answers change, or the network answers questions or writes captions.
    """
    if network.language is not None:
        raise NetworkError(
            f"{network.name} answers questions or writes captions, for which there are no dictionaries yet; take the "
            "classifier that its layer is from"
        )
    if network.dictionary is not None:
        return with_dictionary(network.plain, dictionary)
    if dictionary.units != network.layer.units:
        raise NetworkError(
            f"the dictionary is of {dictionary.units} units, and layer {network.layer.name!r} of {network.name} has "
            f"{network.layer.units}; name the layer that it was learned from with --layer"
        )
    layer, layout = network.layer, network.layout
    applied = AppliedDictionary(dictionary, layer, network.layouts, network.body, network.source)
    module = WithDictionary(network.module, layer, layout, dictionary)
    module.to(network.device)
    share_lock(module, network.module)
    source = replace(
        network.source or Source(""), dictionary=dictionary.folder or None, learned=dictionary.learned or None
    )
    read = replace(
        network,
        module=module,
        layer=Layer(DICTIONARY_AT + layer.name, dictionary.features, layer.height, layer.width),
        layouts={},
        source=source,
        body="",
        dictionary=applied,
    )
    _require_same_answers(network, read)
    return read


def _require_same_answers(network: Network, read: Network) -> None:
    """Check that a network answers as it did, and that its features can be read.

    Of a network without classes, only the latter.
    """
    image = noise(network.module, network.preprocessing)
    run = forward if network.classes else _map
    before, after = run(network, image), run(read, image)
    greatest = float(before.scores.detach().abs().max()) if network.classes else 0.0
    is_kept = torch.allclose(after.scores, before.scores, rtol=0, atol=_TOLERANCE * greatest)
    if not is_kept or not after.activation.isfinite().all():
        raise NetworkError(
            f"with the dictionary, {network.name} gives other scores than without it: the features of "
            f"{network.layer.name!r} are so great that the map cannot be put together from them; learn another one"
        )


def _map(network: Network, image: Float[Tensor, "1 _ H W"]) -> Pass:
    return maps_through(network, [network.layer], image)
