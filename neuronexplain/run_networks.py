"""The networks of stored runs: opened again from a run's source, or found among a store's runs."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from torch import nn

from db.arguments import reading
from db.records import Run, require_built
from dissection.errors import NetworkError, not_taken
from dissection.networks.network import Network
from dissection.networks.network_source import Source
from dissection.networks.opening import open_network, runs_code
from dissection.networks.preprocessing import Preprocessing

from .arguments import network_of, require_name
from .built_here import is_built_here

if TYPE_CHECKING:
    from collections.abc import Iterator
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
    device: str = "cpu",
) -> Network:
    """Open a run's network again, from its source.

    Code, which is a factory or an exported program, is run only if this user built the run here, or names the network.

    Args:
        run: the run, or its number in ``store``.
        store: the store that a number belongs to, or the path or URL of its database.
        network: the network's new place, if it has moved; or its name, if it is code and the run was built elsewhere.
        weights: the weights file's new place, if it has moved.
        ema: whether to take the averaged weights of that file, if the source does not say so itself.
        device: the device to put the network on.

    Raises:
        NetworkError: if the network cannot be opened, or is code that nobody named. Whether it is the same network,
            :func:`explain` checks.
        RunNotFoundError: if the store has no such run.
        StoreError: if the run was imported: it cannot explain predictions.
        TypeError: if ``run`` is a number, and no store is named.
    """
    run = _run(run, store)
    require_built(run, "thresholds")
    source = Source.from_json(run.source) if network is None or run.source else Source(require_name(network))
    if network is None and runs_code(source.network) and not is_built_here(run):
        raise NetworkError(
            f"run {run.id} is not known to be built here, and {source.network!r} is code, which is not run on trust; "
            "name the network with --network, or run its build again"
        )
    opened = open_network(
        source.network if network is None else require_name(network),
        weights=source.weights if weights is None else Path(weights),
        ema=ema or source.ema,
        layer=run.layer.name,
        classes=run.classes,
        preprocessing=Preprocessing.from_canonical(run.key.preprocessing),
        device=device,
        output=source.output or None,
        multi_label=source.multi_label or None,
    )
    return replace(opened, precision=run.key.precision)


def network_and_run(network: NetworkLike, store: NameStore, run: RunLike | None) -> tuple[Network, Run]:
    """A network that is meant, and its run in a store: the newest, if none is named.

    A module, or a name, is opened as its run says: with that run's layer, preprocessing, classes and precision, and a
    name with its weights too. A :class:`Network` says all of that itself.

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
        for opened, candidate in _openings(network, runs):
            if opened.fingerprint == candidate.key.network:
                return opened, candidate
    opened = network_of(network)
    if chosen is None:
        chosen = store.run_for(opened.fingerprint)
    store.require_network(chosen, opened.fingerprint)
    return opened, chosen


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
        key = replace(run.key, network="", concepts="", evidence="", quantile=0, min_images=0, draws=0, control=False)
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
        return run.layer.name in dict(network.named_modules())
    return require_name(network) in {run.network, run.source.get("network")}


def _opened_as(network: nn.Module | str | PathLike[str], run: Run) -> Network:
    if not isinstance(network, nn.Module):
        return open_network_of(run, network=network)
    source = Source.from_json(run.source) if run.source else Source("")
    opened = Network.from_module(
        network,
        layer=run.layer.name,
        preprocessing=Preprocessing.from_canonical(run.key.preprocessing),
        classes=run.classes,
        name=run.network,
        output=source.output,
        multi_label=source.multi_label,
    )
    return replace(opened, precision=run.key.precision)
