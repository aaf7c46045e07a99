"""The networks and images on which the paper's experiments are repeated."""

from __future__ import annotations

import sys
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from pooled import pooled_network

from dissection.concepts.conversion import convert
from dissection.concepts.formats import find_format
from dissection.concepts.generated import write_scenes
from dissection.concepts.layouts import open_concepts
from dissection.errors import NetworkError
from dissection.networks.opening import open_network
from neuronexplain.evaluation.ground_truth.opening import open_ground

sys.path.append(str(Path(__file__).resolve().parents[1]))
from squeezenet import open_squeezenet

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from dissection.concepts.dataset import ConceptDataset
    from dissection.networks.network import Network
    from neuronexplain.evaluation.ground_truth.truth import Ground
    from neuronexplain.vocabulary import DataKind

DATA = Path(__file__).resolve().parents[3] / "shared" / "data"
SEED = 7
_LABELS = 224
_EARLIER = "features.11"
"""The layer before SqueezeNet's last block. At the last one c-MWP is 0: the classifier is a convolution of one cell."""


@dataclass(frozen=True)
class World:
    """One network on one set of images.

    Attributes:
        name: of its folder.
        title: for people.
        network: the network.
        data: folder of its images; None for generated scenes.
        kind: their layout.
        named: the concept data that name its neurons.
        images: how many images are measured.
        few: how many images are measured if each costs hundreds of passes.
        quantile: the quantile used for naming.
        ten: whether to measure ten crops, which take long.
        radius: of the adversarial attack.
        rivals_only: whether to measure only Grad-CAM and what the paper localises with beside it, and leave out other
            methods, variants, attacks and units.
    """

    name: str
    title: str
    network: Network
    data: Path | None
    kind: DataKind
    named: Path
    images: int = 100
    few: int = 24
    quantile: float = 0.005
    ten: bool = False
    radius: float = 16 / 255
    rivals_only: bool = False

    @cached_property
    def ground(self) -> Ground:
        """The measured images."""
        return self.some(self.images)

    def some(self, images: int) -> Ground:
        """A given number of the images."""
        return open_ground(self.data, self.network.classes, kind=self.kind, limit=images, seed=SEED)

    @property
    def concepts(self) -> ConceptDataset:
        """The concept data that name the neurons."""
        return open_concepts(self.named)


@dataclass(frozen=True)
class Size:
    """How much is measured.

    Attributes:
        scenes: how many scenes are measured, and how many if each costs hundreds of passes.
        photographs: how many photographs of each set are measured, likewise; None for no photographs.
        named: how many scenes name the neurons of the scenes network, and teach the pooled one.
        ten: whether to measure ten crops.
    """

    scenes: tuple[int, int] = (240, 60)
    photographs: tuple[int, int] | None = (100, 24)
    named: int = 600
    ten: bool = True


SMALL = Size(scenes=(48, 16), photographs=None, named=240, ten=False)
"""A minute or two."""


def worlds(out: Path, size: Size, skipped: Callable[[str], None]) -> Iterator[World]:
    """The scenes, and networks of photographs if their weights and photographs are available.

    Args:
        out: the folder for the data that is made.
        size: how much is measured.
        skipped: called with what is left out, and why.
    """
    named = out / "scenes"
    if not named.exists():
        write_scenes(named, images=size.named, seed=1)
    images, few = size.scenes
    scenes = World("scenes-network", "the scenes network", open_network("scenes"), None, "scenes", named)
    scenes = replace(scenes, images=images, few=few, quantile=0.01, ten=size.ten, radius=32 / 255)
    yield scenes
    pooled = pooled_network(scenes.concepts)
    yield replace(scenes, name="scenes-pooled", title="the scenes network, pooled", network=pooled, rivals_only=True)
    if size.photographs is None:
        return
    if DATA.is_dir():
        yield from _photographs(out, size.photographs, size, skipped)
    else:
        skipped(f"networks of photographs: there is no {DATA}")


def _photographs(out: Path, counts: tuple[int, int], size: Size, skipped: Callable[[str], None]) -> Iterator[World]:
    msrc, coco = DATA / "msrc", out / "coco"
    if not coco.exists():
        convert(
            find_format("coco-panoptic").open(DATA / "coco-panoptic", label_size=_LABELS),
            coco,
            label_size=_LABELS,
            min_images=0,
        )
    images, few = counts
    photographs = World(
        "squeezenet-msrc", "SqueezeNet (ImageNet) on MSRC", open_squeezenet(DATA), msrc, "concepts", msrc
    )
    photographs = replace(photographs, images=images, few=few, ten=size.ten)
    yield photographs
    earlier = photographs.network.at(_EARLIER)
    title = f"SqueezeNet (ImageNet) at {_EARLIER} on MSRC"
    yield replace(photographs, name="squeezenet-earlier-msrc", title=title, network=earlier, rivals_only=True)
    try:
        lite = open_network("efficientnet-lite0")
    except NetworkError as error:
        skipped(f"EfficientNet-Lite0, for which CAM is defined: {error}")
    else:
        title = "EfficientNet-Lite0 (ImageNet) on MSRC"
        yield replace(photographs, name="efficientnet-lite0-msrc", title=title, network=lite, rivals_only=True)
    yield replace(photographs, name="squeezenet-coco", title="SqueezeNet (ImageNet) on COCO", data=coco)
    yield replace(
        photographs,
        name="squeezenet-imagenet",
        title="SqueezeNet (ImageNet) on ImageNet",
        data=DATA / "imagenet",
        kind="photographs",
    )
    yield replace(photographs, name="places-msrc", title="SqueezeNet (Places365) on MSRC", network=_places())


def _places() -> Network:
    return open_network(
        f"{DATA / 'networks' / 'squeezenet_places365.py'}:squeezenet_places365",
        weights=DATA / "weights" / "squeezenet-places365.safetensors",
        classes=DATA / "places365-classes.txt",
        mean=(0.4576, 0.4412, 0.4080),
        std=(1.0, 1.0, 1.0),
        input_size=224,
    )
