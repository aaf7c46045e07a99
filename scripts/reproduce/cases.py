"""The networks and images on which the paper's experiments are repeated."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from dissection.concepts.conversion import convert
from dissection.concepts.formats import find_format
from dissection.concepts.generated import write_scenes
from dissection.concepts.layouts import open_concepts
from dissection.networks.opening import open_network
from neuronexplain.evaluation.ground_truth.opening import open_ground

if TYPE_CHECKING:
    from collections.abc import Iterator

    from dissection.concepts.dataset import ConceptDataset
    from dissection.networks.network import Network
    from neuronexplain.evaluation.ground_truth.truth import Ground
    from neuronexplain.vocabulary import DataKind

DATA = Path(__file__).resolve().parents[3] / "shared" / "data"
SEED = 7
_LABELS = 224


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


def worlds(out: Path, *, small: bool) -> Iterator[World]:
    """The scenes, and the SqueezeNets if their weights and photographs are available."""
    named = out / "scenes"
    if not named.exists():
        write_scenes(named, images=240 if small else 600, seed=1)
    images, few = (48, 16) if small else (240, 60)
    scenes = World("scenes-network", "the scenes network", open_network("scenes"), None, "scenes", named)
    yield replace(scenes, images=images, few=few, quantile=0.01, ten=not small, radius=32 / 255)
    if small or not DATA.is_dir():
        return
    msrc, coco = DATA / "msrc", out / "coco"
    if not coco.exists():
        convert(
            find_format("coco-panoptic").open(DATA / "coco-panoptic", label_size=_LABELS),
            coco,
            label_size=_LABELS,
            min_images=0,
        )
    photographs = World("squeezenet-msrc", "SqueezeNet (ImageNet) on MSRC", _imagenet(), msrc, "concepts", msrc)
    yield replace(photographs, ten=True)
    yield replace(photographs, name="squeezenet-coco", title="SqueezeNet (ImageNet) on COCO", data=coco)
    yield replace(
        photographs,
        name="squeezenet-imagenet",
        title="SqueezeNet (ImageNet) on ImageNet",
        data=DATA / "imagenet",
        kind="photographs",
    )
    yield replace(photographs, name="places-msrc", title="SqueezeNet (Places365) on MSRC", network=_places())


def _imagenet() -> Network:
    return open_network(
        "squeezenet1_0",
        weights=DATA / "weights" / "squeezenet1_0-imagenet.safetensors",
        mean=(123 / 255, 117 / 255, 104 / 255),
        std=(1 / 255,) * 3,
        input_size=227,
        resize=(256, 256),
    )


def _places() -> Network:
    return open_network(
        f"{DATA / 'networks' / 'squeezenet_places365.py'}:squeezenet_places365",
        weights=DATA / "weights" / "squeezenet-places365.safetensors",
        classes=DATA / "places365-classes.txt",
        mean=(0.4576, 0.4412, 0.4080),
        std=(1.0, 1.0, 1.0),
        input_size=224,
    )
