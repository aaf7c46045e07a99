"""SqueezeNet as the folder of photographs has it, for the scripts that measure on photographs."""

from __future__ import annotations

from typing import TYPE_CHECKING

from neuronexplain import open_network

if TYPE_CHECKING:
    from pathlib import Path

    from dissection.networks.network import Network


def open_squeezenet(data: Path) -> Network:
    """SqueezeNet 1.0, trained on ImageNet."""
    return open_network(
        "squeezenet1_0",
        weights=data / "weights" / "squeezenet1_0-imagenet.safetensors",
        mean=(123 / 255, 117 / 255, 104 / 255),
        std=(1 / 255,) * 3,
        input_size=227,
        resize=(256, 256),
    )
