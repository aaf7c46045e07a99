"""The two jobs: name the units of a network once, and explain its predictions. Here all three packages meet."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from PIL import Image

from db.records import Run, RunKey
from dissection.concepts import fingerprint
from dissection.dissect import dissect
from dissection.networks import Source, open_network
from dissection.overlap import UPSAMPLING
from dissection.photographs import open_photograph
from dissection.preprocessing import Preprocessing
from dissection.vocabulary import MIN_IMAGES, MIN_IOU, QUANTILE

from .explainer import Explainer
from .gradcam import has_constant_alphas
from .importance import Importances
from .thumbnails import thumbnails

if TYPE_CHECKING:
    from collections.abc import Callable

    from db import NameStore
    from dissection.concepts.dataset import ConceptDataset
    from dissection.dissect import Progress
    from dissection.networks import Network

    from .evidence import ClassImages
    from .explanation import Among, Explanation, RankBy

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
    batch_size: int = 16,
    progress: Progress | None = None,
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
        batch_size: images in one forward pass.
        progress: is told about the stages.
    """
    key = RunKey(
        network=network.fingerprint,
        layer=network.layer.name,
        concepts=fingerprint(concepts, progress=_stage(progress, "reading the concept data")),
        preprocessing=network.preprocessing.canonical,
        quantile=quantile,
        min_images=min_images,
        upsampling=UPSAMPLING,
        evidence=class_images.fingerprint() if class_images else CONCEPT_IMAGES,
    )
    found = store.find(key)
    if found is not None:
        return Built(found, is_new=False)
    importances = Importances(network.classes, network.layer.units)
    dissection = dissect(
        network,
        concepts,
        quantile=quantile,
        min_images=min_images,
        batch_size=batch_size,
        observe=None if class_images else importances.observe,
        progress=progress,
    )
    if class_images:
        class_images.observe(importances, network, batch_size=batch_size, progress=progress)
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
    pictures = thumbnails(dissection, concepts)
    return Built(store.publish(run, dissection, importances.means(), pictures), is_new=True)


def reopen(run: Run, *, weights: Path | None = None, device: str = "cpu") -> Network:
    """Make a run's network again, from where it came from.

    Args:
        run: the run.
        weights: the weights file, where it is no longer where it was.
        device: where to put the network.

    Raises:
        NetworkError: if it cannot be made again. Whether it is the same network, :func:`explain` checks.
    """
    source = Source.from_json(run.source)
    return open_network(
        source.network,
        weights=weights or source.weights,
        layer=run.layer.name,
        classes=run.classes,
        preprocessing=Preprocessing.from_canonical(run.key.preprocessing),
        device=device,
    )


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
) -> Explainer:
    """Give the network the names that a run of the store has for its units; the newest run unless one is given.

    Raises:
        RunNotFoundError: if the run, or every run there is, is of a network with other weights.
    """
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
    )


def _stage(progress: Progress | None, stage: str) -> Callable[[int, int], None] | None:
    return None if progress is None else lambda done, total: progress(stage, done, total)
