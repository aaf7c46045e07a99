"""Opens a network by the name that a user gives: ``scenes``, a published name, an exported program, or a factory."""

from __future__ import annotations

from dataclasses import replace
from difflib import get_close_matches
from os import PathLike, fspath
from pathlib import Path
from typing import TYPE_CHECKING, TypedDict, Unpack

from dissection.errors import NetworkError, not_taken
from dissection.networks.sources.factory import open_made
from dissection.networks.sources.spec import ANSWERER, CAPTIONER, SCENES

from .dictionaries.applying import with_dictionary
from .dictionaries.folders import read_dictionary
from .foreign_preprocessing import preprocessing_of
from .language import Answering
from .network import Network
from .network_source import Source
from .preprocessing import Preprocessing
from .weights import WeightsFile, is_torchscript

if TYPE_CHECKING:
    from collections.abc import Sequence

    from dissection.files.transfers import Bytes
    from dissection.networks.sources.spec import NetworkSpec

    from .foreign_preprocessing import PreprocessingLike


class Changes(TypedDict, total=False):
    """Changes to what a source knows of its network; ``None`` changes nothing."""

    mean: Sequence[float] | None
    std: Sequence[float] | None
    input_size: int | None
    resize: int | tuple[int, int] | None
    channels: int | None
    output: str | None
    multi_label: bool | None


def open_network(  # noqa: PLR0913 -- what a network is made of
    network: str | PathLike[str],
    *,
    weights: Path | str | None = None,
    ema: bool = False,
    layer: str | None = None,
    classes: Path | str | Sequence[str] | None = None,
    preprocessing: PreprocessingLike | None = None,
    dictionary: Path | str | None = None,
    device: str = "cpu",
    progress: Bytes | None = None,
    **changes: Unpack[Changes],
) -> Network:
    """The network of this name, in evaluation mode.

    Args:
        network: ``scenes``, ``scenes/captioner``, ``scenes/answerer``; a torchvision classifier's name;
            ``places365/NAME``, ``timm/NAME``, ``hf/NAME``,
            ``efficientnet-lite0``; ``path/to/program.pt2``; ``path/to/file.py:factory`` or ``package.module:factory``;
            the factory returns an ``nn.Module`` or a :class:`Network`.
        weights: a file to load into it; by default a published name stands for its published weights.
        ema: whether to take the averaged weights of a checkpoint that holds both; otherwise a warning tells of them.
        layer: the layer to dissect; by default the last rectified convolutional map.
        classes: labels, or a file with one label per line; by default those that the source knows.
        preprocessing: replaces that of the source; see :meth:`Network.from_module`.
        dictionary: folder of a dictionary whose features its units are to be; by default its layer is the one that the
            dictionary was learned from, if that says so.
        device: where to run it.
        progress: called with the bytes of published weights received, and all of them.
        changes: changes to that preprocessing: ``mean``, ``std``, ``input_size``, ``resize``, ``channels``; and
            ``output`` and ``multi_label``, see :meth:`Network.from_module`.

    Raises:
        NetworkError: if there is no such network, or it cannot be made.
        WeightsError: if its weights cannot be fetched or read, or do not fit.
        LayerNotFoundError: if the layer does not exist, or has no feature map.
        TypeError: if ``network`` is no name.
    """
    if not isinstance(network, str | PathLike):
        raise not_taken("network", network, "a name or a path; Network.from_module takes a module")
    network = fspath(network)
    path = None if weights is None else Path(weights).expanduser().resolve()
    if ema and path is None:
        raise NetworkError("averaged weights (--ema) are those of a file, and none is given; name one with --weights")
    learned = None if dictionary is None else read_dictionary(dictionary)
    draft = _draft(network, None if path is None else WeightsFile(path, ema), progress)
    opened = _opened(draft, layer or (learned.layer if learned else None), classes, preprocessing, changes)
    source = Source(
        draft.spec or network,
        None if path is None else str(path),
        changes.get("output") or "",
        bool(changes.get("multi_label")),
        ema,
    )
    opened = replace(opened, source=source).to(device)
    return opened if learned is None else with_dictionary(opened, learned)


def runs_code(network: str) -> bool:
    """Whether opening the network of this name runs code that its author wrote: a factory or an exported program.

    All others are architectures of installed packages, whose weights are read as data.
    """
    return _is_program(network) or ":" in network


def open_architecture(network: str, *, progress: Bytes | None = None, **changes: Unpack[Changes]) -> Network:
    """As :func:`open_network`, if weights do not matter: those of a torchvision network are not fetched."""
    from dissection.networks.sources.torchvision import open_untrained, published_names  # noqa: PLC0415 -- torchvision's models take a second to import

    if network not in published_names():
        return open_network(network, progress=progress, **changes)
    return _opened(open_untrained(network), None, None, None, changes)


def _opened(
    draft: NetworkSpec,
    layer: str | None,
    classes: Path | str | Sequence[str] | None,
    preprocessing: PreprocessingLike | None,
    changes: Changes,
) -> Network:
    if draft.talking is not None:
        return _talking(draft.talking, layer, classes, _changed(preprocessing, changes), changes)
    output, multi_label = changes.get("output"), changes.get("multi_label")
    return Network.from_module(
        draft.module.eval(),
        layer=layer or draft.layer,
        preprocessing=_changed(draft.preprocessing if preprocessing is None else preprocessing, changes),
        classes=draft.classes if classes is None else read_classes(classes),
        name=draft.name,
        output=output or draft.output,
        multi_label=draft.multi_label if multi_label is None else multi_label,
    )


def _talking(
    network: Network,
    layer: str | None,
    classes: Path | str | Sequence[str] | None,
    preprocessing: Preprocessing | None,
    changes: Changes,
) -> Network:
    """A network that answers or writes, as it was made, at a layer; its weights may have been loaded since."""
    known = network.language.answers if isinstance(network.language, Answering) else ()
    is_said = {
        "classes": bool(classes) and tuple(read_classes(classes or ())) != known,
        "preprocessing": preprocessing not in {None, network.preprocessing},
        "output": bool(changes.get("output")),
        "multi_label": bool(changes.get("multi_label")),
    }
    if said := [name for name, differs in is_said.items() if differs]:
        raise NetworkError(
            f"{network.name} answers questions or writes captions, and comes with its {said[0]}, which cannot be "
            "changed here; say it where the network is made, with Network.of_answers or Network.of_captions"
        )
    return network.at(layer or network.layer.name)


def _changed(known: PreprocessingLike | None, changes: Changes) -> Preprocessing | None:
    """What is known of a network's preprocessing, with the user's changes; ``None`` if there is nothing of either."""
    names = ("mean", "std", "input_size", "resize", "channels")
    if known is None and all(changes.get(name) is None for name in names):
        return None
    base = Preprocessing() if known is None else preprocessing_of(known)
    return base.changed(
        mean=changes.get("mean"),
        std=changes.get("std"),
        input_size=changes.get("input_size"),
        resize=changes.get("resize"),
        channels=changes.get("channels"),
    )


def _draft(network: str, weights: WeightsFile | None, progress: Bytes | None) -> NetworkSpec:
    """The spec from a network's source; a source is imported when it is needed, since some take seconds."""
    if network in (SCENES, CAPTIONER, ANSWERER):
        return _shipped(network, weights)
    if _is_program(network):
        from dissection.networks.sources.exported import open_exported  # noqa: PLC0415

        return open_exported(Path(network).expanduser().resolve(), weights)
    if ":" in network:
        return open_made(network, weights)
    match network.partition("/")[:2]:
        case ("timm", "/"):
            from dissection.networks.sources.timm import open_timm  # noqa: PLC0415

            return open_timm(network, weights)
        case ("hf", "/"):
            from dissection.networks.sources.hugging_face import open_hf  # noqa: PLC0415

            return open_hf(network, weights)
    return _published(network, weights, progress)


def _shipped(network: str, weights: WeightsFile | None) -> NetworkSpec:
    from dissection.networks.sources.described import open_answerer, open_captioner  # noqa: PLC0415
    from dissection.networks.sources.scenes import open_scenes  # noqa: PLC0415

    return {SCENES: open_scenes, CAPTIONER: open_captioner, ANSWERER: open_answerer}[network](weights)


def _is_program(network: str) -> bool:
    return Path(network).suffix == ".pt2"


def _published(network: str, weights: WeightsFile | None, progress: Bytes | None) -> NetworkSpec:
    from dissection.networks.sources.efficientnet_lite import LITE, open_lite  # noqa: PLC0415 -- torchvision's models take a second to import
    from dissection.networks.sources.places365 import open_places, places_names  # noqa: PLC0415
    from dissection.networks.sources.torchvision import open_published, published_names  # noqa: PLC0415

    if network == LITE:
        return open_lite(weights)
    if network in places_names():
        return open_places(network, weights, progress)
    if network in published_names():
        return open_published(network, weights, progress)
    raise NetworkError(_unknown(network, [SCENES, CAPTIONER, ANSWERER, LITE, *places_names(), *published_names()]))


def read_classes(classes: Path | str | Sequence[str]) -> Sequence[str]:
    """Labels from a file, one per line; empty lines at its end are ignored.

    Raises:
        NetworkError: if it cannot be read or holds none.
    """
    if not isinstance(classes, (Path, str)):
        return classes
    try:
        lines = Path(classes).expanduser().read_text("utf-8-sig").rstrip().splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise NetworkError(
            f"cannot read class labels from {classes} ({error}); give a text file with one label per line"
        ) from error
    if not lines:
        raise NetworkError(f"{classes} holds no class labels; give a text file with one label per line")
    return [line.strip() for line in lines]


def _unknown(network: str, published: Sequence[str]) -> str:
    path = Path(network).expanduser()
    if path.suffix == ".py":
        return f"{network} names a file; say which function makes the network: {network}:FACTORY"
    if path.is_file() and is_torchscript(path):
        return (
            f"{network} is a TorchScript program, whose layers cannot be read; export the network with "
            "torch.export.save as a .pt2, or give FILE.py:FACTORY"
        )
    if path.is_file():
        return f"{network} is not a network; name its architecture with --network and give the file with --weights"
    near = get_close_matches(network.lower(), published, n=5, cutoff=0.5)
    hint = (
        f"choose one, such as {', '.join(near)}" if near else f"give {SCENES}, a torchvision name, or FILE.py:FACTORY"
    )
    return f"no network is called {network!r}; {hint} (neuronexplain networks lists all)"
