"""Opens a network by what a user calls it: ``scenes``, a torchvision name, or a factory of their own."""

from __future__ import annotations

from dataclasses import dataclass, replace
from difflib import get_close_matches
from pathlib import Path
from typing import TYPE_CHECKING, TypedDict, Unpack

from dissection.errors import NetworkError
from dissection.preprocessing import Preprocessing
from dissection.weights import fit, read_weights

from .factory import call_factory
from .network import Network, Source

if TYPE_CHECKING:
    from collections.abc import Sequence

    from torch import nn

SCENES = "scenes"
"""The network that comes with the package."""


class Changes(TypedDict, total=False):
    """What differs from a network's own preprocessing; ``None`` changes nothing."""

    mean: Sequence[float] | None
    std: Sequence[float] | None
    input_size: int | None
    resize: int | tuple[int, int] | None


@dataclass(frozen=True, slots=True)
class _Draft:
    """What a source knows of its network."""

    module: nn.Module
    name: str
    source: Source
    preprocessing: Preprocessing | None = None
    classes: Sequence[str] = ()
    layer: str | None = None


def open_network(
    network: str,
    *,
    weights: Path | str | None = None,
    layer: str | None = None,
    classes: Path | str | Sequence[str] | None = None,
    preprocessing: Preprocessing | None = None,
    device: str = "cpu",
    **changes: Unpack[Changes],
) -> Network:
    """The network of this name, in evaluation mode.

    Args:
        network: ``scenes``; a torchvision classifier's name; ``path/to/file.py:factory`` or
            ``package.module:factory``, where the factory returns an ``nn.Module`` or a :class:`Network`.
        weights: a file to load into it; without one a torchvision name means its published weights.
        layer: the layer to dissect; by default the last rectified convolutional map.
        classes: labels, or a file with one label per line; by default the ones that the source knows.
        preprocessing: in place of the source's own.
        device: where to run it.
        changes: what differs from that preprocessing: ``mean``, ``std``, ``input_size``, ``resize``.

    Raises:
        NetworkError: if there is no such network, or it cannot be made.
        WeightsError: if its weights cannot be had, or do not fit.
        LayerNotFoundError: if the layer does not exist, or has no feature map.
    """
    path = None if weights is None else Path(weights).expanduser().resolve()
    draft = _draft(network, path)
    wanted = preprocessing or draft.preprocessing or Preprocessing()
    opened = Network.from_module(
        draft.module.eval(),
        layer=layer or draft.layer,
        preprocessing=wanted.changed(**changes),
        classes=draft.classes if classes is None else _read_classes(classes),
        name=draft.name,
    )
    return replace(opened, source=draft.source).to(device)


def _draft(network: str, weights: Path | None) -> _Draft:
    if network == SCENES:
        return _scenes(weights)
    if ":" in network:
        return _made(network, weights)
    return _published(network, weights)


def _scenes(weights: Path | None) -> _Draft:
    from dissection.scenes_network import INPUT_SIZE, MEAN, SCENE_CLASSES, STD, scenes_network  # noqa: PLC0415 -- its weights are read where they are wanted

    module = scenes_network()
    _load(module, weights)
    size = (INPUT_SIZE, INPUT_SIZE)
    classes = [label.replace("_", " ") for label in SCENE_CLASSES]
    return _Draft(module, SCENES, _source(SCENES, weights), Preprocessing(size, size, MEAN, STD), classes)


def _published(network: str, weights: Path | None) -> _Draft:
    from .zoo import open_published, published_names  # noqa: PLC0415 -- torchvision's models take a second to import

    if network not in published_names():
        raise NetworkError(_unknown(network, published_names()))
    published = open_published(network, weights)
    source = _source(network, weights)
    return _Draft(published.module, network, source, published.preprocessing, published.classes)


def _made(network: str, weights: Path | None) -> _Draft:
    made = call_factory(network)
    source = _source(made.spec, weights)
    if isinstance(made.product, Network):
        own = made.product
        _load(own.module, weights)
        return _Draft(own.module, own.name, source, own.preprocessing, own.classes, own.layer.name)
    _load(made.product, weights)
    return _Draft(made.product, made.name, source)


def _load(module: nn.Module, weights: Path | None) -> None:
    if weights is not None:
        fit(module, read_weights(weights), where=str(weights))


def _source(network: str, weights: Path | None) -> Source:
    return Source(network, None if weights is None else str(weights))


def _read_classes(classes: Path | str | Sequence[str]) -> Sequence[str]:
    """Labels from a file, one per line; empty lines at its end do not count."""
    if not isinstance(classes, (Path, str)):
        return classes
    try:
        lines = Path(classes).expanduser().read_text("utf-8-sig").rstrip().splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise NetworkError(
            f"cannot read class labels from {classes} ({error}); give a text file, a label per line"
        ) from error
    if not lines:
        raise NetworkError(f"{classes} holds no class labels; give a text file with one label per line")
    return [line.strip() for line in lines]


def _unknown(network: str, published: Sequence[str]) -> str:
    if Path(network).suffix == ".py":
        return f"{network} names a file; say which function makes the network: {network}:FACTORY"
    if Path(network).is_file():
        return f"{network} is no network; name its architecture with --network and give the file with --weights"
    near = get_close_matches(network.lower(), [SCENES, *published], n=5, cutoff=0.5)
    hint = f"near ones: {', '.join(near)}" if near else f"give {SCENES}, a torchvision name, or FILE.py:FACTORY"
    return f"no network is called {network!r}; {hint}"
