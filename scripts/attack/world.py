"""What is attacked: a network of four neurons, squares of four colours, and a file of every kind that is read."""

from __future__ import annotations

import csv
import json
import shutil
import sys
import tarfile
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch
from commands import ROOT
from PIL import Image
from safetensors.torch import save_file

sys.path.insert(0, str(ROOT / "tests"))
from published import halves, part_object, write_ade_2016, write_context, write_parts, write_voc
from worlds import write_colour_folder

if TYPE_CHECKING:
    from commands import Warm

SIZE = 32
_IMAGES = 16
_NETWORK = '''"""Units 0 to 3 detect red, green, blue and yellow."""

import torch
from torch import nn


def squares():
    network = nn.Sequential(nn.Conv2d(3, 4, 1), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(4, 4))
    with torch.no_grad():
        network[0].weight.copy_(torch.tensor([[1.0, -1, -1], [-1, 1, -1], [-1, -1, 1], [1, 1, -1]])[:, :, None, None])
        network[0].bias.copy_(torch.tensor([0.0, 0, 0, -1]))
        network[4].weight.copy_(torch.eye(4) * 9)
        network[4].bias.zero_()
    return network.eval()
'''


@dataclass(frozen=True, slots=True)
class World:
    """The folder of everything that commands read."""

    folder: Path

    @property
    def network(self) -> list[object]:
        """Options that name the network."""
        return ["--network", f"{self.folder / 'net.py'}:squares", "--input-size", SIZE]

    @property
    def squares(self) -> Path:
        """Squares, in the plain layout."""
        return self.folder / "squares"

    @property
    def broden(self) -> Path:
        """The same, in Broden's layout."""
        return self.folder / "broden"

    @property
    def database(self) -> Path:
        """Their names."""
        return self.folder / "names.db"

    def build(self, database: Path, concepts: Path | None = None, *, draws: int = 9) -> list[object]:
        """The command that names the neurons."""
        settings = ["--batch-size", 4, "--draws", draws, "--min-images", 2, "--quantile", 0.02]
        return ["build", *self.network, "--concepts", concepts or self.squares, *settings, "--db", database]

    def explain(self, database: Path, out: Path) -> list[object]:
        """The command that explains two squares."""
        pictures = [self.squares / "images" / f"{number:03}.png" for number in (0, 1)]
        return ["explain", *pictures, "--db", database, *self.network[:2], "--out", out]


def write_world(folder: Path, warm: Warm) -> World:
    """Write everything into an empty folder; what the commands load on the way stays loaded in ``warm``."""
    world = World(folder)
    write_colour_folder(world.squares, images=_IMAGES)
    _with_jpegs(world.squares, folder / "jpegs")
    (folder / "net.py").write_text(_NETWORK)
    (folder / "classes.txt").write_text("red\ngreen\nblue\nyellow\n")
    convert = ["concepts", "convert", world.squares, world.broden, "--size", SIZE, "--label-size", 16]
    warm.rehearse([*convert, "--min-images", 2])
    warm.rehearse([*world.build(world.database), "--classes", folder / "classes.txt"])
    warm.rehearse(["export", folder / "names.json", "--db", world.database])
    warm.rehearse(["export", folder / "exported", "--db", world.database])
    warm.rehearse(["concepts", "check", world.squares, "--min-images", 2, "--quantile", 0.02])
    warm.rehearse(world.explain(world.database, folder / "rehearsed"))
    _write_networks(folder)
    _write_published(folder)
    _write_result(folder / "tally.csv")
    return world


def _with_jpegs(squares: Path, folder: Path) -> None:
    shutil.copytree(squares, folder)
    for photograph in (folder / "images").iterdir():
        Image.open(photograph).save(photograph.with_suffix(".jpg"), quality=95)
        photograph.unlink()


def _write_networks(folder: Path) -> None:
    namespace: dict[str, object] = {}
    exec(_NETWORK, namespace)  # noqa: S102 -- the text above
    network = namespace["squares"]()  # type: ignore[operator]
    state = network.state_dict()
    save_file(state, folder / "weights.safetensors")
    torch.save(state, folder / "weights.pt")
    torch.save(state, folder / "weights-1.5.pt", _use_new_zipfile_serialization=False)
    torch.save(network, folder / "whole.pt")
    with torch.no_grad():
        images = (torch.zeros(2, 3, SIZE, SIZE),)
        program = torch.export.export(network, images, dynamic_shapes=({0: torch.export.Dim("batch")},))
    torch.export.save(program, folder / "net.pt2")


def _write_published(folder: Path) -> None:
    write_voc(
        folder / "voc" / "VOC2012",
        {f"2007_00000{number}": halves(number % 3 + 1, 15) for number in range(4)},
        {"train": ["2007_000000", "2007_000001"], "val": ["2007_000002", "2007_000003"]},
    )
    for mask in (folder / "voc").rglob("SegmentationClass/*.png"):
        _paint_as_voc(mask)
    names = ["wall", "sky", "tree"]
    write_ade_2016(folder / "ade", names, {f"training/a/abbey/{number}": [halves(1, 2)] for number in range(3)})
    labels = "".join(f"{number}: {name}\n" for number, name in enumerate(["empty", "sky", "tree", "car"]))
    write_context(folder / "context", labels, {f"2008_00000{number}": halves(1, 2) for number in range(3)})
    things = [part_object("car", halves(1, 0), {"wheel_1": halves(1, 0)})]
    write_parts(folder / "parts", {f"2008_00000{number}": things for number in range(3)})
    write_parts(folder / "parts-plain", {f"2008_00000{number}": things for number in range(3)}, packed=False)
    _write_coco(folder / "coco")
    _write_archives(folder)


def _paint_as_voc(mask: Path) -> None:
    """Give a map VOC's own palette."""
    palette = []
    for index in range(256):
        colour, number = [0, 0, 0], index
        for bit in range(7, -1, -1):
            for channel in range(3):
                colour[channel] |= (number >> channel & 1) << bit
            number >>= 3
        palette += colour
    picture = Image.open(mask)
    picture.putpalette(palette)
    picture.save(mask)


def _write_coco(root: Path) -> None:
    categories = [
        {"id": 1, "name": "person", "supercategory": "person"},
        {"id": 17, "name": "cat", "supercategory": "animal"},
    ]
    images = [{"id": number, "file_name": f"{number:03}.jpg", "height": 16, "width": 16} for number in range(4)]
    annotations = [
        {
            "id": 10 * image + number,
            "image_id": image,
            "category_id": category,
            "segmentation": [[left, 0, left + 8, 0, left + 8, 16, left, 16]],
            "iscrowd": 0,
            "area": 128,
            "bbox": [left, 0, 8, 16],
        }
        for image in range(4)
        for number, (category, left) in enumerate([(1, 0), (17, 8)], start=1)
    ]
    (root / "annotations").mkdir(parents=True)
    (root / "train").mkdir()
    for image in images:
        Image.new("RGB", (16, 16), "red").save(root / "train" / str(image["file_name"]))
    content = {"images": images, "categories": categories, "annotations": annotations}
    (root / "annotations" / "instances_train.json").write_text(json.dumps(content))


def _write_archives(folder: Path) -> None:
    """A published dataset as it is downloaded: textures, in three kinds of archive."""
    generator = np.random.default_rng(0)
    source = folder / "textures" / "dtd"
    for number in range(4):
        file = source / "images" / "dotted" / f"dotted_{number:04}.jpg"
        file.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(generator.integers(0, 256, (16, 16, 3), np.uint8)).save(file)
    with tarfile.open(folder / "dtd.tar.gz", "w:gz") as archive:
        archive.add(source, "dtd")
    with tarfile.open(folder / "dtd.tar.xz", "w:xz") as archive:
        archive.add(source, "dtd")
    with zipfile.ZipFile(folder / "dtd.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        for file in sorted(source.rglob("*.jpg")):
            archive.write(file, Path("dtd") / file.relative_to(source))


def _write_result(file: Path) -> None:
    """A result of NetDissect."""
    counts = ["label", "truth", "activation", "intersect", "iou"]
    header = ["unit", "category", "label", "score", *(f"object-{count}" for count in counts)]
    rows = [
        [1, "object", "red", 0.5, "red", 100, 200, 100, 0.5],
        [2, "object", "green", 0.25, "green", 100, 200, 60, 0.25],
    ]
    with file.open("w", newline="") as stream:
        csv.writer(stream).writerows([header, *rows])
