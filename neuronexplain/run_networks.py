"""The networks of stored runs: opened again from a run's source, or found among a store's runs."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from torch import nn

from db.arguments import reading
from db.errors import RunNotFoundError
from db.records import Run, require_built
from dissection.errors import NetworkError, not_taken
from dissection.networks.dictionaries.applying import with_dictionary
from dissection.networks.dictionaries.folders import read_dictionary
from dissection.networks.network import Network
from dissection.networks.network_source import Source
from dissection.networks.opening import open_network, runs_code
from dissection.networks.preprocessing import Preprocessing

from .arguments import network_of, require_name
from .bodies import names_units_of, opened_for, require_run_of, run_of
from .built_here import is_built_here

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from os import PathLike

    from db import NameStore
    from db.arguments import StoreLike
    from db.records import RunLike

    from .arguments import NetworkLike


def open_network_of(
    run: RunLike,
    *,
    store: StoreLike | None = None,
    network: str | PathLike[str] | None = None,
    weights: str | PathLike[str] | None = None,
    ema: bool = False,
    dictionary: str | PathLike[str] | None = None,
    device: str = "cpu",
) -> Network:
    """Open a run's network again, from its source; or another one that is named, at the layer whose units have names.

    Code, which is a factory or an exported program, is run only if this user built the run here, or names the network.

    Args:
        run: the run, or its number in ``store``.
        store: the store that a number belongs to, or the path or URL of its database.
        network: the network's new place, if it has moved; or its name, if it is code and the run was built elsewhere;
            or another network with the same body: a captioner, or other classes.
        weights: the weights file's new place, if it has moved; or that of another head.
        ema: whether to take the averaged weights of that file, if the source does not say so itself.
        dictionary: the new place of the dictionary's folder, if its units are features and that has moved.
        device: the device to put the network on.

    Raises:
        NetworkError: if the network cannot be opened, or is code that nobody named. Whether it is one whose units the
            run names, :func:`explain` checks.
        RunNotFoundError: if the store has no such run.
        StoreError: if the run was imported: it cannot explain predictions.
        TypeError: if ``run`` is a number, and no store is named.
    """
    run = _run(run, store)
    require_built(run, "thresholds")
    source = Source.from_json(run.source) if network is None or run.source else Source(require_name(network))
    if network is None and not source.network:
        raise NetworkError(f"run {run.id} does not know where its network comes from; name the network with --network")
    if network is None and runs_code(source.network) and not is_built_here(run):
        raise NetworkError(
            f"run {run.id} is not known to be built here, and {source.network!r} is code, which is not run on trust; "
            "name the network with --network, or run its build again"
        )
    name = source.network if network is None else require_name(network)
    file = None if weights is None else Path(weights)
    folder = _dictionary_of(run, source, dictionary)
    as_built = partial(
        open_network,
        name,
        weights=source.weights if file is None else file,
        ema=ema or source.ema,
        layer=run.layer.module,
        classes=run.classes,
        preprocessing=Preprocessing.from_canonical(run.key.preprocessing),
        dictionary=folder,
        device=device,
        output=source.output or None,
        multi_label=source.multi_label or None,
    )
    is_named = network is not None or weights is not None
    by_itself = partial(open_network, name, weights=file, ema=ema, dictionary=folder, device=device)
    opened = opened_for(run, as_built, by_itself) if is_named else as_built()
    return replace(opened, precision=run.key.precision)


def network_and_run(network: NetworkLike, store: NameStore, run: RunLike | None) -> tuple[Network, Run]:
    """A network that is meant, and its run in a store: the newest, if none is named.

    A module, or a name, is opened as its run says: with that run's layer, preprocessing, classes and precision, and a
    name with its weights too. With another head, it has classes of its own. A :class:`Network` says all of that itself.

    Raises:
        NetworkError: if a name or module cannot be opened.
        RunNotFoundError: if the run, or every run there is, is of another network, or of other weights.
        StoreError: if the run was imported: it has no thresholds, which say when a neuron is lit.
        TypeError: if the network or run is of no kind that can be taken.
    """
    chosen = None if run is None else store.run(run)
    if chosen is not None:
        require_built(chosen, "thresholds")
    if not isinstance(network, Network):
        runs = store.runs()[::-1] if chosen is None else [chosen]
        sharing: list[tuple[Network, Run]] = []
        for opened, candidate in _openings(network, runs):
            if candidate.key.network == opened.fingerprint:
                return opened, candidate
            if names_units_of(candidate, opened):
                sharing.append((opened, candidate))
        if sharing:
            return sharing[0]
    opened = network_of(network)
    if chosen is None:
        return opened, run_of(opened, store)
    require_run_of(opened, store, chosen)
    return opened, chosen


def named_network_and_run(
    store: NameStore,
    *,
    run: int | None = None,
    network: str | None = None,
    weights: Path | None = None,
    ema: bool = False,
    dictionary: Path | None = None,
    device: str = "cpu",
    check: Callable[[Run], object] | None = None,
) -> tuple[Network, Run]:
    """A run's network, from where it is named; without a run's number, the newest of the only network there is.

    A check of the run comes before its network is opened, which may take long.

    Raises:
        NeuronExplainError: as :func:`open_network_of`; or if the runs are of several networks, and none names the units
            of the one that is named.
    """
    try:
        chosen = store.run(run) if run is not None else store.newest_of(network)
    except RunNotFoundError:
        if network is None or run is not None or not store.runs():
            raise
        opened = open_network(network, weights=weights, ema=ema, dictionary=dictionary, device=device)
        chosen = run_of(opened, store)
        if check:
            check(chosen)
        return opened, chosen
    if check:
        check(chosen)
    opened = open_network_of(chosen, network=network, weights=weights, ema=ema, dictionary=dictionary, device=device)
    require_run_of(opened, store, chosen)
    return opened, chosen


def _dictionary_of(run: Run, source: Source, folder: str | PathLike[str] | None) -> Path | None:
    """The folder of the dictionary whose features a run names, if it names features."""
    if run.layer.noun == "neuron":
        if folder is not None:
            raise NetworkError(f"run {run.id} names neurons, not the features of a dictionary; leave out --dictionary")
        return None
    place = folder or source.dictionary
    if place is None:
        raise NetworkError(f"run {run.id} names the features of a dictionary; name its folder with --dictionary")
    return Path(place)


def _run(run: RunLike, store: StoreLike | None) -> Run:
    if isinstance(run, Run):
        return run
    if store is None:
        raise not_taken("run", run, "a Run, or its number together with store=")
    with reading(store) as opened:
        return opened.run(run)


def _openings(network: nn.Module | str | PathLike[str], runs: list[Run]) -> Iterator[tuple[Network, Run]]:
    """A module or a name, opened as each run says that could be of it; as several say alike, once."""
    tried: set[str] = set()
    for run in runs:
        key = replace(run.key, network="", concepts="", evidence="", quantile=0, min_images=0)
        key = replace(key, draws=0, control=False, length=1)
        settings = f"{key.digest} {run.source} {run.classes}"
        if run.key.imported or settings in tried or not _may_be_of(network, run):
            continue
        tried.add(settings)
        try:
            yield _opened_as(network, run), run
        except NetworkError:
            continue


def _may_be_of(network: nn.Module | str | PathLike[str], run: Run) -> bool:
    if isinstance(network, nn.Module):
        return run.layer.module in dict(network.named_modules())
    return require_name(network) in {run.network, run.source.get("network")}


def _opened_as(network: nn.Module | str | PathLike[str], run: Run) -> Network:
    if not isinstance(network, nn.Module):
        return open_network_of(run, network=network)
    source = Source.from_json(run.source) if run.source else Source("")
    as_built = partial(
        Network.from_module,
        network,
        layer=run.layer.module,
        preprocessing=Preprocessing.from_canonical(run.key.preprocessing),
        classes=run.classes,
        name=run.network,
        output=source.output,
        multi_label=source.multi_label,
    )
    if folder := _dictionary_of(run, source, None):
        return replace(with_dictionary(as_built(), read_dictionary(folder)), precision=run.key.precision)
    opened = opened_for(run, as_built, partial(Network.from_module, network))
    return replace(opened, precision=run.key.precision)
