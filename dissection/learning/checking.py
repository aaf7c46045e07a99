"""How much of a network a dictionary holds: of the map's variance, of the answers; and whether two of them agree."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch
from scipy.optimize import linear_sum_assignment

from dissection.dissect import WholeFrames
from dissection.errors import ConceptDataError, NetworkError
from dissection.networks.forward import require_classes
from dissection.networks.reruns import Reruns

if TYPE_CHECKING:
    from dissection.concepts.dataset import ConceptDataset
    from dissection.execution.settings import Execution
    from dissection.networks.dictionaries.dictionary import Dictionary
    from dissection.networks.network import Network

_ALIKE = 0.9
"""Directions with at least this cosine are the same feature."""


@dataclass(frozen=True, slots=True)
class DictionaryCheck:
    """What a dictionary holds of a network.

    Attributes:
        images: how many images were looked at.
        r2: the share of the map's variance, over all places, that features make up.
        active: features at a place, on average.
        features: how many features it has.
        dead: how many are at no place.
        agreement: the share of images whose predicted class stays what it is where the map is only what features make
            up.
    """

    images: int
    r2: float
    active: float
    features: int
    dead: int
    agreement: float


@dataclass(frozen=True, slots=True)
class Likeness:
    """How alike the features of two dictionaries are, each paired with one of the other, as well as can be.

    Attributes:
        cosine: of the directions of a pair, on average.
        alike: the share of pairs with a cosine of at least 0.9.
    """

    cosine: float
    alike: float


def check_dictionary(
    network: Network, dictionary: Dictionary, photographs: ConceptDataset, execution: Execution
) -> DictionaryCheck:
    """Look at photographs that the dictionary need not have been learned from.

    Raises:
        ConceptDataError: if there are no photographs.
        NetworkError: if the dictionary is of another number of units than the network's layer, or that has no classes.
    """
    require_classes(network)
    if dictionary.units != network.layer.units:
        raise NetworkError(
            f"the dictionary is of {dictionary.units} units, and layer {network.layer.name!r} of {network.name} has "
            f"{network.layer.units}; name the layer that it was learned from with --layer"
        )
    if not len(photographs):
        raise ConceptDataError(f"{photographs.name} holds no images; at least one is needed")
    read, reruns = WholeFrames(photographs, network.preprocessing), Reruns(network)
    sums, squares = np.zeros(network.layer.units), np.zeros(network.layer.units)
    missed, places, active, agreeing = 0.0, 0, 0, 0
    seen = torch.zeros(dictionary.features, dtype=torch.bool)
    for batch in execution.batches(len(photographs)):
        pixels = torch.from_numpy(np.stack([read(image) for image in batch]))
        noted = reruns.forward(network.preprocessing.normalised(pixels.to(network.device)))
        maps = noted.result.activation.detach()
        codes = dictionary.encode(maps.cpu())
        rebuilt = dictionary.decode(codes)
        wide = maps.cpu().double()
        sums += wide.sum((0, 2, 3)).numpy()
        squares += wide.square().sum((0, 2, 3)).numpy()
        missed += float((wide - rebuilt.double()).square().sum())
        places += codes[:, 0].numel()
        active += int((codes > 0).sum())
        seen |= (codes > 0).amax((0, 2, 3))
        predicted, again = noted.result.scores.detach().argmax(1), reruns.scores(noted, rebuilt).argmax(1)
        agreeing += int((predicted == again.to(predicted)).sum())
        execution.report("looking at the photographs", batch.stop, len(photographs))
    variance = float((squares - sums**2 / places).sum())
    return DictionaryCheck(
        images=len(photographs),
        r2=1 - missed / variance if variance else 0.0,
        active=active / places,
        features=dictionary.features,
        dead=int((~seen).sum()),
        agreement=agreeing / len(photographs),
    )


def likeness(one: Dictionary, other: Dictionary) -> Likeness:
    """How alike two dictionaries of the same units are, such as two that were learned with different seeds.

    Raises:
        NetworkError: if they are of different numbers of units.
    """
    if one.units != other.units:
        raise NetworkError(
            f"dictionaries of {one.units} and of {other.units} units cannot be compared; give two of one"
        )
    directions = [
        torch.nn.functional.normalize(dictionary.decoder.double(), dim=1).numpy() for dictionary in (one, other)
    ]
    cosines = directions[0] @ directions[1].T
    matched = cosines[linear_sum_assignment(-cosines)]
    return Likeness(float(matched.mean()), float((matched >= _ALIKE).mean()))
