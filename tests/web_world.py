"""A database of two runs of the network of squares, which differ in draws, and the application over it."""

from pathlib import Path

from worlds import CLASSES, colour_concepts

from db import NameStore
from dissection.networks.network import Network
from dissection.networks.opening import open_network
from neuronexplain.building import build

HERE = Path(__file__).parent


def squares_network() -> Network:
    return open_network(
        f"{HERE / 'worlds.py'}:colour_net",
        classes=CLASSES,
        mean=(0.0, 0.0, 0.0),
        std=(1.0, 1.0, 1.0),
        input_size=32,
        resize=(32, 32),
    )


def build_squares(where: Path) -> Path:
    """Two runs of one network: the second without evidence."""
    network, concepts = squares_network(), colour_concepts()
    with NameStore.create(where) as store:
        build(network, concepts, store)
        build(network, concepts, store, draws=0)
    return where
