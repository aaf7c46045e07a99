"""What a reader has at hand who begins a page: each world fills a folder."""

from __future__ import annotations

import csv
import json
import shutil
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

import numpy as np
import published
import torch
import torchvision
from hair_world import write_hair_world
from human_studies import rate_all, right_answer
from pages import ROOT
from PIL import Image
from safetensors.torch import save_file

from db import NameStore
from dissection.concepts.generated import write_scenes
from dissection.scenes.classifier import scenes_network
from dissection.scenes.scene import draw_scene
from dissection.scenes.training import Training
from dissection.scenes.words import SCENE_CLASSES
from neuronexplain.studies.bias import Bias, study_bias
from neuronexplain.studies.human.folder import open_study
from neuronexplain.studies.human.ratings import Ratings

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    Fill = Callable[[Path], object]


@dataclass(frozen=True, slots=True)
class Origins:
    """Where worlds take from what is made once for all tests: the demo, and folders by their names."""

    demo: Callable[[], Path]
    made_once: Callable[[str, Fill], Path]


def nothing(folder: Path, origins: Origins) -> None:
    """An empty folder."""


def demo(folder: Path, origins: Origins) -> None:
    """``demo``, as ``neuronexplain demo --out demo`` leaves it, to be read and written to."""
    (folder / "demo").mkdir()
    for path in (origins.demo() / "demo").iterdir():
        if path.is_dir():
            (folder / "demo" / path.name).symlink_to(path)
        else:
            shutil.copy(path, folder / "demo" / path.name)


def names(folder: Path, origins: Origins) -> None:
    """The demo, and its names once more, in ``names.db``."""
    demo(folder, origins)
    shutil.copy(folder / "demo" / "scenes.db", folder / "names.db")


def audited(folder: Path, origins: Origins) -> None:
    """The demo's names, and scenes in the folders of their classes, or of the class after theirs; who lies where."""
    names(folder, origins)
    lines = ["image,group"]
    for index in range(24):
        is_misfiled = index in {0, 12, 15}
        label = SCENE_CLASSES[(index + is_misfiled) % 12]
        (folder / "photographs" / label).mkdir(parents=True, exist_ok=True)
        draw_scene(9, index).photograph.save(folder / "photographs" / label / f"{index}.png")
        lines.append(f"{label}/{index}.png,{'misfiled' if is_misfiled else 'filed'}")
    (folder / "groups.csv").write_text("\n".join(lines))


def colleague(folder: Path, origins: Origins) -> None:
    """What ``neuronexplain evaluate bias`` leaves, of a study with too few photographs for a rule to be decided."""
    study = Bias(images=24, tested=16, named=60, training=Training(epochs=2, batch=6, rate=3e-4))
    (folder / "bias").symlink_to(origins.made_once("bias", lambda out: study_bias(study, out)))


def nurses(folder: Path, origins: Origins) -> None:
    """Photographs of nurses, doctors and zebras, masks of their hair, and the names of a network that leans on it."""
    world = origins.made_once("hair-world", write_hair_world)
    for name, of_world in (("photos", "photos"), ("hair-masks", "hair-masks"), ("names.db", "biased.db")):
        (folder / name).symlink_to(world / of_world)


def demo_and_nurses(folder: Path, origins: Origins) -> None:
    """Both of these."""
    demo(folder, origins)
    nurses(folder, origins)


def newcomer(folder: Path, origins: Origins) -> None:
    """Masks, a checkpoint of a ResNet-18 with three classes, their labels, and a photograph."""
    classes = ("meadow", "street", "shore")
    torch.manual_seed(0)
    torch.save(torchvision.models.resnet18(num_classes=len(classes)).state_dict(), folder / "checkpoint.pt")
    (folder / "labels.txt").write_text("\n".join(classes))
    _write_masks(folder / "my-masks")
    shutil.copy(folder / "my-masks" / "images" / "11.jpg", folder / "photo.jpg")


def newcomer_after_the_demo(folder: Path, origins: Origins) -> None:
    """Both of these."""
    demo(folder, origins)
    newcomer(folder, origins)


def _write_masks(folder: Path) -> None:
    (folder / "images").mkdir(parents=True)
    (folder / "masks").mkdir()
    (folder / "concepts.csv").write_text("number,name,category\n1,grass,object\n2,sky,object\n")
    generator = np.random.default_rng(0)
    for number in range(12):
        mask = np.where(np.arange(80)[:, None] < 20 + 3 * number, 2, generator.integers(0, 2, (80, 100)))
        colours = np.array([(90, 60, 40), (40, 160, 50), (120, 180, 250)], np.uint8)[mask]
        Image.fromarray(colours).save(folder / "images" / f"{number}.jpg")
        Image.fromarray(mask.astype(np.uint8)).save(folder / "masks" / f"{number}.png")


def published_data(folder: Path, origins: Origins) -> None:
    """Masks, and a little COCO with panoptic labels."""
    _write_masks(folder / "my-masks")
    root = folder / "coco"
    published.write_photograph(root / "val2017" / "1.jpg")
    (root / "annotations" / "panoptic_val2017").mkdir(parents=True)
    codes = published.halves(7, 8)
    colours = np.stack([codes, np.zeros_like(codes), np.zeros_like(codes)], -1).astype(np.uint8)
    Image.fromarray(colours).save(root / "annotations" / "panoptic_val2017" / "1.png")
    segments = [{"id": 7, "category_id": 1, "iscrowd": 0}, {"id": 8, "category_id": 2, "iscrowd": 0}]
    labels = {
        "images": [{"id": 1, "file_name": "1.jpg", "height": published.SIZE[0], "width": published.SIZE[1]}],
        "categories": [
            {"id": 1, "name": "cat", "supercategory": "animal", "isthing": 1},
            {"id": 2, "name": "grass-merged", "supercategory": "plant", "isthing": 0},
        ],
        "annotations": [{"image_id": 1, "file_name": "1.png", "segments_info": segments}],
    }
    (root / "annotations" / "panoptic_val2017.json").write_text(json.dumps(labels))


LABELLED = 12
"""Photographs that a model labels."""


def photographs_without_masks(folder: Path, origins: Origins) -> None:
    """A network, photographs, a few others with true masks, and models that label them."""
    import tiny_segmenters as tiny  # noqa: PLC0415 -- transformers may not be installed

    newcomer(folder, origins)
    shutil.rmtree(folder / "my-masks")
    write_scenes(folder / "my-masks", images=LABELLED, seed=9)
    (folder / "photos").mkdir()
    for file in (folder / "my-masks" / "images").glob("?????.png"):
        (folder / "photos" / file.name).symlink_to(file)
    torch.manual_seed(1)
    words = dict(enumerate(("sky", "wall", "grass")))
    numbers = {word: number for number, word in words.items()}
    tiny.segformer(folder / "segformer-b0-finetuned-ade-512-512", scale=30.0, id2label=words, label2id=numbers)
    tiny.grounding_dino(folder / "grounding-dino-tiny")
    tiny.sam(folder / "sam-vit-base")


def two_checkpoints(folder: Path, origins: Origins) -> None:
    """The demo, and weights of its network that no longer look at the concept that names most of its neurons."""
    demo(folder, origins)
    with NameStore.open(folder / "demo" / "scenes.db") as store:
        named = store.names(store.newest())
    most = unlearned(folder)
    state = scenes_network().state_dict()
    weight = state["classifier.2.weight"].reshape(64, 96, -1).clone()
    weight[:, [unit for unit, name in named.items() if name.concept.spoken == most]] = 0
    save_file({**state, "classifier.2.weight": weight.reshape(64, -1)}, folder / "tuned.safetensors")


def unlearned(folder: Path) -> str:
    """The concept that names most neurons of the demo's network."""
    with NameStore.open(folder / "demo" / "scenes.db") as store:
        spoken = [name.concept.spoken for name in store.names(store.newest()).values()]
    return max(sorted(set(spoken)), key=spoken.count)


def scripts(folder: Path, origins: Origins) -> None:
    """The repository's scripts, to which they may write."""
    shutil.copytree(ROOT / "scripts", folder / "scripts", ignore=shutil.ignore_patterns("*.safetensors", "__pycache__"))


def shared(folder: Path, origins: Origins) -> None:
    """The demo, and a result of NetDissect."""
    from test_netdissect import rows, write  # noqa: PLC0415 -- it is a module of tests

    demo(folder, origins)
    write(folder / "tally.csv", rows())


def rate_studies(folder: Path) -> None:
    """Ratings of one rater, who knows every answer of ``what-is-it`` and ``which-is-better``."""
    for name in ("what-is-it", "which-is-better"):
        study = open_study(folder / name)
        with Ratings(study, "people") as ratings:
            rate_all(ratings, partial(right_answer, study))


def write_ratings(folder: Path) -> None:
    """Ratings of another platform: of each order of the options, a rater who chooses the first answer everywhere."""
    with (folder / "what-is-it" / "public" / "questions.csv").open(newline="") as stream:
        items = [row["item"] for row in csv.DictReader(stream)]
    lines = ["rater,item,answer,played", *(f"w{item[-1]},{item},1,no" for item in items)]
    (folder / "ratings.csv").write_text("\n".join(lines) + "\n")
