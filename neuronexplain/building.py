"""The first job: names the units of a network once and stores the names. Here all three packages meet."""

from __future__ import annotations

import hashlib
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING

import numpy as np
import torch

from db import NameStore
from db.arguments import writing
from db.records import CONCEPT_IMAGES, OLDEST_SCHEMA, Run, RunKey, WholeRun, evidence_of
from dissection.concepts.model_labels import name_with_labels
from dissection.concepts.notes import licence_of
from dissection.dissect import dissect_layers
from dissection.engine.evidence import Draws
from dissection.errors import ConceptDataError, NetworkError
from dissection.execution.checkpoint import CHECKPOINT_FORMAT
from dissection.execution.scratch import discard, empty, scratch
from dissection.files.leftovers import temporary_folder
from dissection.files.paths import readable
from dissection.networks.network_arguments import labels_of
from dissection.networks.opening import runs_code
from dissection.vocabulary import DRAWS, LONGEST_FORMULA, MIN_IMAGES, QUANTILE, UPSAMPLING
from neuronexplain.methods.constant_alphas import has_constant_alphas
from neuronexplain.pictures.thumbnails import exemplar_pictures

from .arguments import class_images_of, concepts_of, networks_of
from .build_data import BuildData
from .built_here import remember
from .class_importance import Importances
from .class_statistics import ClassStatistics, DeferredStatistics
from .control import held_against, named, with_shuffled_weights
from .progress import watched_execution

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

    from jaxtyping import Float64

    from db import ClassImportance
    from db.arguments import StoreLike
    from dissection.concepts.dataset import ConceptDataset
    from dissection.execution.settings import Execution
    from dissection.networks.network import Network
    from dissection.vocabulary import Dissection

    from .arguments import ClassImagesLike, ConceptsLike, NetworkLike
    from .class_images import ClassImages

STATISTICS_FORMAT = 3
"""Version of the class statistics that a build with draws leaves unfinished; one of another version is not resumed."""


@dataclass(frozen=True, slots=True)
class Built:
    """A run, and whether it was built now or had been stored before."""

    run: Run
    is_new: bool


def build(  # noqa: PLR0913 -- what a build depends on
    network: NetworkLike,
    concepts: ConceptsLike,
    store: StoreLike,
    *,
    quantile: float = QUANTILE,
    min_images: int = MIN_IMAGES,
    class_images: ClassImagesLike | None = None,
    draws: int = DRAWS,
    control: bool = False,
    length: int = 1,
    execution: Execution | None = None,
) -> Built:
    """Name the units of the network's layer, measure their importance for each class, and store both.

    A run that the store already holds is not built again. The store is written once, at the end, in one transaction.

    Args:
        network: the network; or a module, or a name that :func:`open_network` takes.
        concepts: photographs with labels, or their folder, see :func:`open_concepts`.
        store: opened for writing; or the path or URL of a database, which is made if it is missing.
        quantile: share of a unit's activations that count as strong.
        min_images: how many images must show a concept before it can become a name.
        class_images: images to average class importances over, or a folder with one folder of images per class; by
            default the concept images, each counted for the class that the network predicts.
        draws: permutations behind the evidence for names; 0 gathers neither that nor statistics of classes.
        control: whether to dissect the network with shuffled weights too; the run then says how many names that has.
        length: concepts of the longest formula to search for: with 2 or 3, half of the images are searched, and a
            formula is accepted where it holds on the other half.
        execution: how the work is run; with a scratch folder, a killed build is resumed where it stopped.

    Raises:
        ConceptDataError: if the data cannot be read, or are changed meanwhile; then nothing is kept.
        NetworkError: if the store holds the run with other labels of classes.
        TypeError: if an argument is of no kind that can be taken.
        ValueError: as :func:`build_layers`.
    """
    (built,) = build_layers(
        [network],
        concepts,
        store,
        quantile=quantile,
        min_images=min_images,
        class_images=class_images,
        draws=draws,
        control=control,
        length=length,
        execution=execution,
    )
    return built


def build_layers(  # noqa: PLR0913 -- what a build depends on
    networks: NetworkLike | Sequence[NetworkLike],
    concepts: ConceptsLike,
    store: StoreLike | None,
    *,
    quantile: float = QUANTILE,
    min_images: int = MIN_IMAGES,
    class_images: ClassImagesLike | None = None,
    draws: int = DRAWS,
    control: bool = False,
    length: int = 1,
    execution: Execution | None = None,
    fresh: bool = False,
) -> list[Built]:
    """Like :func:`build`, for several layers in one pass, with one run per layer.

    Args:
        networks: one network at several layers, see :meth:`Network.at`.
        concepts: photographs with labels, or their folder.
        store: opened for writing, or a path or URL; of several ranks, only rank 0 reads and writes it.
        quantile: share of a unit's activations that count as strong.
        min_images: how many images must show a concept before it can become a name.
        class_images: images to average class importances over, or their folder.
        draws: permutations behind the evidence for names; 0 gathers neither that nor statistics of classes. A layer's
            evidence is the same whichever layers are built with it.
        control: whether to dissect the network with shuffled weights too; the run then says how many names that has.
        length: concepts of the longest formula to search for: with 2 or 3, half of the images are searched, and a
            formula is accepted where it holds on the other half.
        execution: how the work is run.
        fresh: discard what a killed build left in the scratch folder.

    Raises:
        CheckpointError: if the scratch folder holds work that cannot be resumed.
        ConceptDataError: if the data cannot be read, or are changed meanwhile; then nothing is kept.
        NetworkError: if the store holds the run with other labels of classes.
        TypeError: if an argument is of no kind that can be taken.
        ValueError: if ``quantile`` is not between 0 and 1; if ``draws`` is negative, or 1, from which nothing can be
            concluded, or 0 with ``control`` or with a ``length`` of more than 1; or if the ``length`` is not from 1 to
            `LONGEST_FORMULA`.
    """
    if draws < 0 or draws == 1:
        raise ValueError(f"draws is {draws}; 0 gathers no evidence, {DRAWS} are usual, at least 2 are needed")
    if control and not draws:
        raise ValueError("a control is evidence for names, and with 0 draws none is gathered; give some draws")
    if not 1 <= length <= LONGEST_FORMULA:
        raise ValueError(f"length is {length}; formulas have from 1 to {LONGEST_FORMULA} concepts")
    if length > 1 and not draws:
        raise ValueError("formulas of several concepts need evidence, and with 0 draws none is gathered; give draws")
    opened = networks_of(networks)
    with watched_execution(execution) as run_execution, _of_rank_0(store, run_execution) as names:
        return _built(
            opened,
            concepts_of(concepts),
            names,
            quantile=quantile,
            min_images=min_images,
            class_images=class_images_of(class_images, opened[0].classes),
            draws=draws,
            control=control,
            length=length,
            execution=run_execution,
            fresh=fresh,
        )


@contextmanager
def _of_rank_0(store: StoreLike | None, execution: Execution) -> Iterator[NameStore | None]:
    """The store, opened if it is a place, and only by the rank that writes to it."""
    if store is None or (execution.ranks.number and not isinstance(store, NameStore)):
        yield None
        return
    with writing(store) as opened:
        yield opened


def _built(  # noqa: PLR0913 -- what a build depends on
    networks: Sequence[Network],
    concepts: ConceptDataset,
    store: NameStore | None,
    *,
    quantile: float,
    min_images: int,
    class_images: ClassImages | None,
    draws: int,
    control: bool,
    length: int,
    execution: Execution,
    fresh: bool,
) -> list[Built]:
    ranks = execution.ranks
    data = BuildData(concepts, class_images)
    concept_data, evidence = data.fingerprints(execution)
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
            evidence=_with_prompt(evidence, network),
            draws=draws,
            control=control,
            length=length,
        )
        for network in networks
    ]
    if ranks.gather(keys) != [keys] * ranks.count:
        raise NetworkError("the processes of this build have different networks; start all with the same options")
    built = {}
    for key, network in zip(keys, networks, strict=True):
        if store and (run := store.find(key)):
            _require_labels_of(run, network)
            built[key] = Built(run, is_new=False)
    built = ranks.broadcast(built)
    missing = {key: network for key, network in zip(keys, networks, strict=True) if key not in built}
    if missing:
        with _scratch(list(missing), next(iter(missing.values())), data, execution, fresh=fresh) as run_execution:
            unillustrated = list(_runs(missing, concepts, class_images, run_execution))
            whole_runs = [
                replace(whole_run, pictures=exemplar_pictures(whole_run.dissection, concepts))
                for whole_run in unillustrated
                if store
            ]
            changed = data.changed(ranks)
            if store and not changed:
                published = (Built(run, is_new=True) for run in store.publish_all(whole_runs))
                built |= dict(zip(missing, published, strict=True))
            built = ranks.broadcast(built)
        if changed:  # what was kept of this build is gone by now
            raise ConceptDataError(
                f"{changed} was changed while the build read it, so nothing was kept; leave the data alone, and start "
                "the build again"
            )
    elif execution.scratch is not None and ranks.number == 0:
        # A build that was killed right after publishing has not tidied up.
        discard(execution.scratch / _folder_name(keys, networks[0], execution))
    if store:
        _remember([built[key].run for key in keys], networks)
    return [built[key] for key in keys]


def _require_labels_of(run: Run, network: Network) -> None:
    """Check that a run's classes have the labels that are given now, which are not in its key; if any are given."""
    if network.classes in {run.classes, labels_of((), len(network.classes), network.name)}:
        return
    index = next(i for i, pair in enumerate(zip(run.classes, network.classes, strict=True)) if pair[0] != pair[1])
    raise NetworkError(
        f"run {run.id} of the database is this one with other labels: class {index} is {run.classes[index]!r} there "
        f"and {network.classes[index]!r} here; give its labels, or delete it (neuronexplain runs delete) and build"
    )


def _remember(runs: Sequence[Run], networks: Sequence[Network]) -> None:
    """Let runs of this network open it again, if it is code; not a held run of the same key that names other code."""
    for run, network in zip(runs, networks, strict=True):
        if network.source and runs_code(network.source.network) and run.source == network.source.to_json():
            remember(run)


@contextmanager
def _scratch(
    keys: Sequence[RunKey], network: Network, data: BuildData, execution: Execution, *, fresh: bool
) -> Iterator[Execution]:
    """Execution with a scratch folder reserved for these runs, computed with these settings, from data as they are.

    What an earlier process left is discarded if the data were changed since then, and be it back to what they are.
    """
    if execution.scratch is None:
        yield execution
        return
    folder = execution.scratch / _folder_name(keys, network, execution)
    with scratch(folder, ranks=execution.ranks.count, rank=execution.ranks.number, fresh=fresh) as run_folder:
        note = run_folder / "data"
        is_stale = note.exists() and note.read_bytes() != data.state.encode()
        if any(execution.ranks.gather(is_stale)):
            empty(run_folder)
        note.write_text(data.state)
        yield replace(execution, scratch=run_folder)


def _folder_name(keys: Sequence[RunKey], network: Network, execution: Execution) -> str:
    """A folder name that identifies runs and the settings they are computed with."""
    settings = [str(execution.batch_size), network.device.type, torch.__version__, str(CHECKPOINT_FORMAT)]
    if any(key.draws for key in keys):
        settings.append(f"statistics {STATISTICS_FORMAT}")
    works = [_work(key).digest for key in keys]
    return hashlib.sha256("\n".join([*works, *settings]).encode()).hexdigest()[:16]


def _work(key: RunKey) -> RunKey:
    """The oldest run with the same work: without evidence it is that of schema 2, whose unfinished builds go on."""
    return key if key.draws else replace(key, schema=OLDEST_SCHEMA)


def _draws(key: RunKey) -> Draws:
    """Seeded by the first 8 bytes of the digest of what all layers' keys share, whatever else is looked for."""
    shared = replace(key, network="", layer="", control=False, length=1)
    return Draws(key.draws, seed=int(shared.digest[:16], 16), longest=key.length)


def _runs(
    networks: Mapping[RunKey, Network], concepts: ConceptDataset, class_images: ClassImages | None, execution: Execution
) -> Iterator[WholeRun]:
    bodies = [network.body_fingerprint for network in networks.values()]
    name = name_with_labels(concepts)  # before the work, since a damaged note is refused
    dissections, importances = _gathered(networks, concepts, class_images, execution)
    controls = _controls(networks, concepts, execution)
    for (key, network), body, dissection, control, by_class in zip(
        networks.items(), bodies, dissections, controls, importances, strict=True
    ):
        run = Run(
            id=0,
            key=key,
            created=datetime.now(UTC),
            network=network.name,
            source=network.source.to_json() if network.source else {},
            classes=tuple(network.classes),
            layer=network.layer,
            concepts=name,
            images=dissection.images,
            pixels=dissection.pixels,
            constant_alphas=bool(network.classes) and has_constant_alphas(network),
            evidence=evidence_of(
                f"the images in {readable(class_images.root.name)}" if class_images else CONCEPT_IMAGES,
                readable(_prompt(network)),
            ),
            licence=licence_of(concepts),
            control=None if control is None else named(control),
            body=body,
        )
        held = dissection if control is None else held_against(dissection, control)
        yield WholeRun(run, held, tuple(by_class))


def _with_prompt(evidence: str, network: Network) -> str:
    """What importances are gathered over: the images, and what the network was asked of them."""
    prompt = _prompt(network)
    return evidence if not prompt else hashlib.sha256(f"{evidence} {prompt}".encode()).hexdigest()


def _prompt(network: Network) -> str:
    """What importances depend on beside the images; a network without classes has none, whatever it is asked."""
    return network.prompt if network.classes else ""


def _controls(
    networks: Mapping[RunKey, Network], concepts: ConceptDataset, execution: Execution
) -> Sequence[Dissection | None]:
    """The dissections of the network with shuffled weights, whose unfinished work lies in a folder of its own."""
    key, network = next(iter(networks.items()))
    if not key.control:
        return [None] * len(networks)
    scratch_folder = execution.scratch and execution.scratch / "control"
    if scratch_folder:
        scratch_folder.mkdir(exist_ok=True)
    return dissect_layers(
        with_shuffled_weights(network),
        [tapped.layer for tapped in networks.values()],
        concepts,
        quantile=key.quantile,
        min_images=key.min_images,
        execution=replace(execution, scratch=scratch_folder),
    )


def _gathered(
    networks: Mapping[RunKey, Network], concepts: ConceptDataset, class_images: ClassImages | None, execution: Execution
) -> tuple[list[Dissection], list[list[ClassImportance]]]:
    """The dissection of each layer, and its importances by class: with statistics where there are draws."""
    key, network = next(iter(networks.items()))
    layers = [tapped.layer for tapped in networks.values()]
    dissected = partial(
        dissect_layers,
        network,
        layers,
        concepts,
        quantile=key.quantile,
        min_images=key.min_images,
        draws=_draws(key),
        execution=execution,
    )
    if not network.classes:
        return dissected(), [[] for _ in layers]
    importances: Importances | ClassStatistics
    if class_images:
        dissections, classes = dissected(), class_images.classes
        if key.draws:
            importances = ClassStatistics(network.classes, layers, classes, list(map(_thresholds, dissections)))
        else:
            importances = Importances(network.classes, layers, classes)
        class_images.show(importances, network, layers, execution)
        return dissections, importances.means()
    if not key.draws:
        importances = Importances(network.classes, layers)
        return dissected(observer=importances), importances.means()
    with _folder(execution) as folder:
        statistics = DeferredStatistics(network.classes, layers, folder / "alphas")
        return dissected(observer=statistics), statistics.means()


@contextmanager
def _folder(execution: Execution) -> Iterator[Path]:
    """The scratch folder, or one that is removed at once."""
    if execution.scratch is not None:
        yield execution.scratch
        return
    with temporary_folder() as folder:
        yield folder


def _thresholds(dissection: Dissection) -> Float64[np.ndarray, " units"]:
    return np.array([unit.threshold for unit in dissection.units])
