"""What a source says of a network, before the layer is found and the classes are counted."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from dissection.networks.weights import fit, read_weights

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from torch import nn

    from dissection.networks.network import Network
    from dissection.networks.preprocessing import Preprocessing
    from dissection.networks.weights import WeightsFile


SCENES = "scenes"
"""Name of the network of the generated scenes."""

CAPTIONER, ANSWERER = f"{SCENES}/captioner", f"{SCENES}/answerer"
"""Names of the networks of described scenes."""


@dataclass(frozen=True, slots=True)
class NetworkSpec:
    """What a source knows of its network.

    Attributes:
        module: the network.
        name: name of the architecture, for people.
        preprocessing: what it expects of a photograph, if known.
        classes: its labels, if known.
        layer: the layer to dissect, if the source chooses one.
        output: which of several outputs holds the scores, if the source says so.
        multi_label: whether the source says that classes are independent of each other.
        spec: the name that opens it from any folder, if that differs from what was typed.
        talking: the network as it was made, if it answers questions or writes captions.
    """

    module: nn.Module
    name: str
    preprocessing: Preprocessing | None = None
    classes: Sequence[str] = ()
    layer: str | None = None
    output: str = ""
    multi_label: bool = False
    spec: str | None = None
    talking: Network | None = None


def load(module: nn.Module, weights: WeightsFile | Path | None) -> nn.Module:
    """The module, with a file's weights if one is given.

    Raises:
        WeightsError: if they cannot be read or do not fit.
    """
    if weights is not None:
        fit(module, read_weights(weights), where=str(weights))
    return module
