"""A file of every kind that is read, in small."""

from __future__ import annotations

import csv
import json
from typing import TYPE_CHECKING

import torch
from PIL import Image
from published import halves, part_object, write_ade_2016, write_context, write_parts, write_voc
from world import SIZE, make_network

if TYPE_CHECKING:
    from pathlib import Path


def write_files(folder: Path) -> None:
    """Write what the world lacks: a program, published datasets, and a result of NetDissect."""
    _write_program(folder / "net.pt2")
    _write_published(folder)
    _write_result(folder / "tally.csv")
    (folder / "matches.csv").write_text("class,object\nred,red\ngreen,green\nblue,blue\nyellow,yellow\n")


def _write_program(file: Path) -> None:
    with torch.no_grad():
        images = (torch.zeros(2, 3, SIZE, SIZE),)
        program = torch.export.export(make_network(), images, dynamic_shapes=({0: torch.export.Dim("batch")},))
    torch.export.save(program, file)


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
