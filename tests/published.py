"""Published datasets in small: each writes its layout faithfully from what its pixels show."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import numpy as np
from PIL import Image
from scipy.io import savemat

from dissection.concepts.formats.shared.voc_masks import voc_colour

if TYPE_CHECKING:
    from pathlib import Path

SIZE = (9, 15)
"""Height and width of the photographs; no centre of a cell lies on an edge between pixels."""


def noise(seed: int) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (*SIZE, 3), np.uint8)


def write_photograph(file: Path, seed: int = 0) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(noise(seed)).save(file, quality=90)


def halves(left: int, right: int) -> np.ndarray:
    codes = np.full(SIZE, left, np.int32)
    codes[:, SIZE[1] // 2 :] = right
    return codes


def nearest(codes: np.ndarray, size: int) -> list[list[int]]:
    """The slow way: the pixel that each cell's centre lies in."""
    height, width = codes.shape
    rows = [int((row + 0.5) * height / size) for row in range(size)]
    columns = [int((column + 0.5) * width / size) for column in range(size)]
    return [[int(codes[row, column]) for column in columns] for row in rows]


# --- ADE20K


def write_codes(file: Path, codes: np.ndarray) -> None:
    """ADE20K's colours; blue tells instances apart, and is noise here."""
    blue = np.random.default_rng(1).integers(0, 256, codes.shape)
    Image.fromarray(np.stack([codes // 256 * 10, codes % 256, blue], -1).astype(np.uint8)).save(file)


def write_ade_2016(root: Path, names: list[str], images: dict[str, list[np.ndarray]]) -> Path:
    """Images by path inside ``images/``, without ending: maps of objects, of parts, of parts of parts."""
    for seed, (path, maps) in enumerate(images.items()):
        file = root / "images" / path
        write_photograph(file.with_suffix(".jpg"), seed)
        for level, codes in enumerate(maps):
            write_codes(file.with_name(f"{file.name}_parts_{level}.png" if level else f"{file.name}_seg.png"), codes)
        file.with_name(f"{file.name}_atr.txt").write_text('001 # 0 # 0 # wall # wall # ""\n')
    savemat(root / "index_ade20k.mat", {"index": {"filename": "x", "objectnames": np.array(names, object)}})
    return root


def write_ade_2021(root: Path, names: dict[int, str], images: dict[str, list[np.ndarray]]) -> Path:
    write_ade_2016(root, ["unused"], images)
    (root / "index_ade20k.mat").unlink()
    for path in images:
        file = root / "images" / path
        file.with_name(f"{file.name}_atr.txt").unlink()
        file.mkdir()
        Image.new("L", SIZE[::-1]).save(file / f"instance_000_{file.name}.png")
        write_photograph(file / "not_a_photograph.jpg")
        things = [
            {"id": 0, "name": name, "name_ndx": code, "parts": {"part_level": 0}, "occluded": []}
            for code, name in names.items()
        ]
        things.append({"id": 1, "name": "nameless", "name_ndx": [], "parts": {"part_level": 0}})
        file.with_suffix(".json").write_text(json.dumps({"annotation": {"filename": file.name, "object": things}}))
    return root


def write_scene_parsing(root: Path, images: dict[str, tuple[np.ndarray, str]]) -> Path:
    for seed, (path, (codes, _)) in enumerate(images.items()):
        write_photograph(root / "images" / f"{path}.jpg", seed)
        mask = root / "annotations" / f"{path}.png"
        mask.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(codes.astype(np.uint8)).save(mask)
    names = ["wall", "building, edifice", "sky", "bed "]
    lines = [f"{code} \t0.1\t10\t1\t{name}" for code, name in enumerate(names, start=1)]
    (root / "objectInfo150.txt").write_text("\n".join(["Idx\tRatio\tTrain\tVal\tName", *lines]) + "\n")
    scenes = [f"{path.split('/')[-1]} {scene}" for path, (_, scene) in images.items()]
    (root / "sceneCategories.txt").write_text("\n".join(scenes) + "\n")
    return root


# --- Pascal


def write_voc(root: Path, images: dict[str, np.ndarray], lists: dict[str, list[str]]) -> Path:
    (root / "SegmentationClass").mkdir(parents=True)
    (root / "ImageSets" / "Segmentation").mkdir(parents=True)
    for seed, (name, codes) in enumerate(images.items()):
        write_photograph(root / "JPEGImages" / f"{name}.jpg", seed)
        mask = Image.fromarray(codes.astype(np.uint8))
        mask.putpalette([level for code in range(256) for level in voc_colour(code)])
        mask.save(root / "SegmentationClass" / f"{name}.png")
    for name, lines in lists.items():
        (root / "ImageSets" / "Segmentation" / f"{name}.txt").write_text("\n".join(lines) + "\n")
    return root


def write_context(root: Path, labels: str, images: dict[str, np.ndarray]) -> Path:
    (root / "trainval").mkdir(parents=True)
    (root / "labels.txt").write_text(labels)
    for seed, (name, codes) in enumerate(images.items()):
        write_photograph(root / "VOC2010" / "JPEGImages" / f"{name}.jpg", seed)
        savemat(root / "trainval" / f"{name}.mat", {"LabelMap": codes.astype(np.uint16)}, do_compression=True)
    return root


def records(rows: list[dict[str, Any]]) -> np.ndarray:
    """A MATLAB array of structures."""
    array = np.zeros((1, len(rows)), [(name, object) for name in rows[0]])
    for index, row in enumerate(rows):
        for name, value in row.items():
            array[0, index][name] = value
    return array


def part_object(name: str, mask: np.ndarray, parts: dict[str, np.ndarray] | None = None) -> dict[str, Any]:
    rows = [{"part_name": code, "mask": each.astype(np.uint8)} for code, each in (parts or {}).items()]
    empty = np.zeros((0, 0))  # what MATLAB writes for []
    return {"class": name, "class_ind": 1.0, "mask": mask.astype(np.uint8), "parts": records(rows) if rows else empty}


def write_parts(root: Path, images: dict[str, list[dict[str, Any]]], *, packed: bool = True) -> Path:
    (root / "Annotations_Part").mkdir(parents=True)
    for seed, (name, things) in enumerate(images.items()):
        write_photograph(root / "JPEGImages" / f"{name}.jpg", seed)
        anno = {"imname": name, "objects": records(things)}
        savemat(root / "Annotations_Part" / f"{name}.mat", {"anno": anno}, do_compression=packed)
    return root


# --- textures


def write_dtd(root: Path, images: list[str], joint: str = "") -> Path:
    for seed, path in enumerate(images):
        write_photograph(root / "images" / path, seed)
    if joint:
        (root / "labels").mkdir()
        (root / "labels" / "labels_joint_anno.txt").write_text(joint)
    return root
