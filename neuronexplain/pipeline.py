"""The two jobs: name the units of a network once, and explain its predictions. Here all three packages meet."""

from __future__ import annotations

import hashlib
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import torch
from PIL import Image

from db.records import SHARED, Run, RunKey, WholeRun, require_built
from dissection.concepts.fingerprints import fingerprint
from dissection.dissect import dissect_layers
from dissection.engine.upsampling import UPSAMPLING
from dissection.errors import NetworkError
from dissection.execution.checkpoint import FORMAT, discard, scratch
from dissection.images.photographs import open_photograph
from dissection.networks.network import Source
from dissection.networks.opening import open_network
from dissection.networks.passes import Means
from dissection.networks.preprocessing import Preprocessing
from dissection.vocabulary import MIN_IMAGES, MIN_IOU, QUANTILE
from neuronexplain.pictures.thumbnails import pictures

from .class_importance import Importances
from .explainer import Explainer
from .gradcam import has_constant_alphas

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from db import NameStore
    from dissection.concepts.dataset import ConceptDataset
    from dissection.networks.network import Network

    from .class_images import ClassImages
    from .explanation import Explanation
    from .vocabulary import Among, RankBy

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
    means: Means | None = None,
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
        means: with what it is done; with a scratch folder, a build that was killed goes on where it stopped.
    """
    (built,) = build_layers(
        [network], concepts, store, quantile=quantile, min_images=min_images, class_images=class_images, means=means
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
    means: Means | None = None,
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
        means: with what it is done.
        fresh: discard what a build that was killed left in the scratch folder.

    Raises:
        CheckpointError: if the scratch folder holds something that cannot be gone on with.
    """
    means = means or Means()
    ranks = means.ranks
    concept_data = evidence = ""
    if ranks.number == 0:
        concept_data = fingerprint(concepts, progress=partial(means.tell, "reading the concept data"))
        evidence = class_images.fingerprint() if class_images else CONCEPT_IMAGES
    concept_data, evidence = ranks.share((concept_data, evidence))
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
    built = ranks.share(built)
    missing = {key: network for key, network in zip(keys, networks, strict=True) if key not in built}
    if missing:
        with _scratch(list(missing), next(iter(missing.values())), means, fresh=fresh) as own:
            found = list(_runs(missing, concepts, class_images, own))
            if store:
                whole = [replace(each, pictures=pictures(each.dissection, concepts)) for each in found]
                built |= {run.key: Built(run, is_new=True) for run in store.publish_all(whole)}
            built = ranks.share(built)
    elif means.scratch is not None and ranks.number == 0:
        # A build that was killed right after publishing could not tidy up.
        discard(means.scratch / _way(keys, networks[0], means))
    return [built[key] for key in keys]


@contextmanager
def _scratch(keys: Sequence[RunKey], network: Network, means: Means, *, fresh: bool) -> Iterator[Means]:
    """Means with a scratch folder that is these very runs', computed in this very way."""
    if means.scratch is None:
        yield means
        return
    folder = means.scratch / _way(keys, network, means)
    with scratch(folder, ranks=means.ranks.count, rank=means.ranks.number, fresh=fresh) as own:
        yield replace(means, scratch=own)


def _way(keys: Sequence[RunKey], network: Network, means: Means) -> str:
    """Runs and how they are computed, in a name."""
    way = [str(means.batch_size), network.device.type, torch.__version__, str(FORMAT)]
    return hashlib.sha256("\n".join([*(key.digest for key in keys), *way]).encode()).hexdigest()[:16]


def _runs(
    networks: Mapping[RunKey, Network], concepts: ConceptDataset, class_images: ClassImages | None, means: Means
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
        means=means,
    )
    if class_images:
        importances = class_images.importances(network, layers, means)
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


def reopen(run: Run, *, network: str | None = None, weights: Path | None = None, device: str = "cpu") -> Network:
    """Make a run's network again, from where it came from.

    Args:
        run: the run.
        network: the network, where it is no longer where it was.
        weights: the weights file, where it is no longer where it was.
        device: where to put the network.

    Raises:
        NetworkError: if it cannot be made again, or would be made by code that came with somebody else's names.
            Whether it is the same network, :func:`explain` checks.
        StoreError: if it was imported: then nothing could be explained with it.
    """
    require_built(run, "thresholds")
    source = Source.from_json(run.source)
    if network is None and run.source.get(SHARED) and ":" in source.network:
        raise NetworkError(
            f"run {run.id} came from another store, and {source.network!r} is code, which is not run on its word: "
            "name the network with --network"
        )
    opened = open_network(
        network or source.network,
        weights=weights or source.weights,
        layer=run.layer.name,
        classes=run.classes,
        preprocessing=Preprocessing.from_canonical(run.key.preprocessing),
        device=device,
        output=source.output or None,
        multi_label=source.multi_label or None,
    )
    return replace(opened, precision=run.key.precision)


def explain(
    image: Path | str | Image.Image,
    network: Network,
    store: NameStore,
    *,
    target: str | int | None = None,
    k: int = 5,
    rank_by: RankBy = "alpha",
    among: Among = "all",
    min_iou: float = MIN_IOU,
) -> Explanation:
    """Say why the network predicts what it predicts for one image; see :func:`speaker` for many.

    Args:
        image: a file, or a picture in memory.
        network: the network, whose units the store names.
        store: where its names are.
        target: the class to explain, as label, synonym or index; the predicted one unless given.
        k: how many of the most persuasive and of the most inhibitive units.
        rank_by: ``alpha``, as in the paper, or ``contribution``, which is specific to the image where alphas are not.
        among: ``all`` units, as in the paper, or only ``named`` ones.
        min_iou: IoU from which a unit has a name.

    Raises:
        RunNotFoundError: if the store names no units of a network with these weights.
        PhotographError: if the file is no photograph.
        ClassNotFoundError: if the network has no such class.
    """
    explainer = speaker(network, store, k=k, rank_by=rank_by, among=among, min_iou=min_iou)
    photograph = image.convert("RGB") if isinstance(image, Image.Image) else open_photograph(Path(image))
    name = "the picture" if isinstance(image, Image.Image) else str(image)
    (explanation,) = explainer.explain([(name, photograph)], target=target)
    return explanation


def speaker(
    network: Network,
    store: NameStore,
    *,
    run: Run | None = None,
    k: int = 5,
    rank_by: RankBy = "alpha",
    among: Among = "all",
    min_iou: float = MIN_IOU,
    methods: Sequence[str] = (),
) -> Explainer:
    """Give the network the names that a run of the store has for its units; the newest run unless one is given.

    Raises:
        NetworkError: if there is no such method, or it is not defined for the network.
        RunNotFoundError: if the run, or every run there is, is of a network with other weights.
        StoreError: if the run was imported: it does not say when a neuron is active.
    """
    if run is not None:
        require_built(run, "thresholds")
    if run is None or run.key.network != network.fingerprint:
        run = store.run_for(network.fingerprint)
    return Explainer(
        network,
        names=store.names(run, min_iou),
        thresholds=store.thresholds(run),
        constant_alpha=run.constant_alphas,
        k=k,
        rank_by=rank_by,
        among=among,
        min_iou=min_iou,
        methods=methods,
    )
