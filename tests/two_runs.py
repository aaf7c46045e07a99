"""A database of two runs of the network of squares, which differ in draws."""

from collections.abc import Callable
from pathlib import Path

from worlds import CLASSES, colour_concepts

from db import NameStore
from dissection.networks.network import Network
from dissection.networks.opening import open_network
from neuronexplain.building import build

WORLDS = Path(__file__).with_name("worlds.py")


def two_runs(made_once: Callable[[str, Callable[[Path], object]], Path]) -> Path:
    """The database, made once for all tests that only read it: the second run is without evidence."""
    return made_once("two-runs", _build) / "names.db"


def squares_network(weights: Path | None = None) -> Network:
    """The network of squares, opened from its factory."""
    return open_network(
        f"{WORLDS}:colour_net",
        weights=weights,
        classes=CLASSES,
        mean=(0.0, 0.0, 0.0),
        std=(1.0, 1.0, 1.0),
        input_size=32,
        resize=(32, 32),
    )


def _build(folder: Path) -> None:
    network, concepts = squares_network(), colour_concepts()
    with NameStore.create(folder / "names.db") as store:
        build(network, concepts, store)
        build(network, concepts, store, draws=0)
