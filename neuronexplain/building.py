"""The first job: name the units of a network once, and keep the names. Here all three packages meet."""

from __future__ import annotations

import hashlib
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING

import torch

from db.records import Run, RunKey, WholeRun
from dissection.concepts.fingerprints import fingerprint
from dissection.dissect import dissect_layers
from dissection.engine.upsampling import UPSAMPLING
from dissection.errors import NetworkError
from dissection.execution.checkpoint import FORMAT
from dissection.execution.scratch import discard, scratch
from dissection.execution.settings import Execution
from dissection.vocabulary import MIN_IMAGES, QUANTILE
from neuronexplain.methods.constant_alphas import has_constant_alphas
from neuronexplain.pictures.thumbnails import pictures

from .class_importance import Importances

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from db import NameStore
    from dissection.concepts.dataset import ConceptDataset
    from dissection.networks.network import Network

    from .class_images import ClassImages

CONCEPT_IMAGES = "the concept images that the network assigns to the class"


@dataclass(frozen=True, slots=True)
class Built:
    """A run, and whether it was built now or was there already."""

    run: Run
    is_new: bool


def build(
    network: Network,
    concepts: ConceptDataset,
    store: NameStore,
    *,
    quantile: float = QUANTILE,
    min_images: int = MIN_IMAGES,
    class_images: ClassImages | None = None,
    execution: Execution | None = None,
) -> Built:
    """Name the units of the network's layer, gather what matters for each class, and keep both in the store.

    Nothing is done where the store holds this very run. The store is written to once, at the end, in one transaction.

    Args:
        network: the network.
        concepts: photographs with labels.
        store: opened for writing.
        quantile: share of a unit's activations that count as strong.
        min_images: images a concept must be on to become a name.
        class_images: images to gather class importances over; unless given, the concept images are used, each for the
            class that the network assigns it to.
        execution: how it is carried out; with a scratch folder, a build that was killed goes on where it stopped.
    """
    (built,) = build_layers(
        [network],
        concepts,
        store,
        quantile=quantile,
        min_images=min_images,
        class_images=class_images,
        execution=execution,
    )
    return built


def build_layers(
    networks: Sequence[Network],
    concepts: ConceptDataset,
    store: NameStore | None,
    *,
    quantile: float = QUANTILE,
    min_images: int = MIN_IMAGES,
    class_images: ClassImages | None = None,
    execution: Execution | None = None,
    fresh: bool = False,
) -> list[Built]:
    """As :func:`build`, for several layers in one pass: a run each.

    Args:
        networks: one network at several layers, see :meth:`Network.at`.
        concepts: photographs with labels.
        store: opened for writing; of several ranks, only rank 0's is asked and written to.
        quantile: share of a unit's activations that count as strong.
        min_images: images a concept must be on to become a name.
        class_images: images to gather class importances over.
        execution: how it is carried out.
        fresh: discard what a build that was killed left in the scratch folder.

    Raises:
        CheckpointError: if the scratch folder holds something that cannot be gone on with.
    """
    execution = execution or Execution()
    ranks = execution.ranks
    concept_data = evidence = ""
    if ranks.number == 0:
        concept_data = fingerprint(concepts, progress=partial(execution.report, "reading the concept data"))
        evidence = class_images.fingerprint() if class_images else CONCEPT_IMAGES
    concept_data, evidence = ranks.broadcast((concept_data, evidence))
    keys = [
        RunKey(
            network=network.fingerprint,
            layer=network.layer.name,
            concepts=concept_data,
            preprocessing=network.preprocessing.canonical,
            precision=network.precision,
            quantile=quantile,
            min_images=min_images,
            upsampling=UPSAMPLING,
            evidence=evidence,
        )
        for network in networks
    ]
    if ranks.gather(keys) != [keys] * ranks.count:
        raise NetworkError("the processes of this build were given different networks; start all with the same options")
    built = {key: Built(run, is_new=False) for key in keys if store and (run := store.find(key))}
    built = ranks.broadcast(built)
    missing = {key: network for key, network in zip(keys, networks, strict=True) if key not in built}
    if missing:
        with _scratch(list(missing), next(iter(missing.values())), execution, fresh=fresh) as own:
            found = list(_runs(missing, concepts, class_images, own))
            if store:
                whole = [replace(each, pictures=pictures(each.dissection, concepts)) for each in found]
                built |= {run.key: Built(run, is_new=True) for run in store.publish_all(whole)}
            built = ranks.broadcast(built)
    elif execution.scratch is not None and ranks.number == 0:
        # A build that was killed right after publishing could not tidy up.
        discard(execution.scratch / _way(keys, networks[0], execution))
    return [built[key] for key in keys]


@contextmanager
def _scratch(keys: Sequence[RunKey], network: Network, execution: Execution, *, fresh: bool) -> Iterator[Execution]:
    """Execution with a scratch folder that is these very runs', computed in this very way."""
    if execution.scratch is None:
        yield execution
        return
    folder = execution.scratch / _way(keys, network, execution)
    with scratch(folder, ranks=execution.ranks.count, rank=execution.ranks.number, fresh=fresh) as own:
        yield replace(execution, scratch=own)


def _way(keys: Sequence[RunKey], network: Network, execution: Execution) -> str:
    """Runs and how they are computed, in a name."""
    way = [str(execution.batch_size), network.device.type, torch.__version__, str(FORMAT)]
    return hashlib.sha256("\n".join([*(key.digest for key in keys), *way]).encode()).hexdigest()[:16]


def _runs(
    networks: Mapping[RunKey, Network], concepts: ConceptDataset, class_images: ClassImages | None, execution: Execution
) -> Iterator[WholeRun]:
    network = next(iter(networks.values()))
    layers = [each.layer for each in networks.values()]
    key = next(iter(networks))
    importances = Importances(network.classes, layers)
    dissections = dissect_layers(
        network,
        layers,
        concepts,
        quantile=key.quantile,
        min_images=key.min_images,
        observer=None if class_images else importances,
        execution=execution,
    )
    if class_images:
        importances = class_images.importances(network, layers, execution)
    for (key, network), dissection, means_of_classes in zip(
        networks.items(), dissections, importances.means(), strict=True
    ):
        run = Run(
            id=0,
            key=key,
            created=datetime.now(UTC),
            network=network.name,
            source=network.source.to_json() if network.source else {},
            classes=tuple(network.classes),
            layer=network.layer,
            concepts=concepts.name,
            images=dissection.images,
            pixels=dissection.pixels,
            constant_alphas=has_constant_alphas(network),
            evidence=f"the images in {class_images.root.name}" if class_images else CONCEPT_IMAGES,
        )
        yield WholeRun(run, dissection, tuple(means_of_classes))
