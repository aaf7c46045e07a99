"""Every kind of file that is read, and a command that reads it."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from operations import Words
    from world import World

ANSWER = "answer"
"""The name of what a command writes, in the folder where it runs."""


@dataclass(frozen=True, slots=True)
class Reader:
    """One kind of file.

    Attributes:
        kind: its name.
        source: the file or folder that is copied for each attack.
        pattern: which files in the copy are damaged; empty if the source is the file.
        words: the command, given the copy and the path of what it writes.
        is_checked: whether the format has a checksum over its content, so that damage is never other data.
        is_text: whether lines and digits are damaged too.
    """

    kind: str
    source: Path
    pattern: str
    words: Callable[[Path, Path], Words]
    is_checked: bool = True
    is_text: bool = False


def readers(world: World) -> tuple[Reader, ...]:  # noqa: C901 -- a list, with a function for each command in it
    """All kinds."""
    base = world.folder

    def build(concepts: Path, out: Path) -> Words:
        return world.build(out.with_suffix(".db"), concepts, draws=0)

    def convert(layout: str) -> Callable[[Path, Path], Words]:
        small = ["--size", 32, "--label-size", 16, "--min-images", 1, "--from", layout]
        return lambda copy, out: ["concepts", "convert", copy, out, *small]

    def weights(copy: Path, out: Path) -> Words:
        return [*world.build(out.with_suffix(".db"), draws=0), "--weights", copy]

    def extract(copy: Path, out: Path) -> Words:
        return ["weights", "convert", copy, out.with_suffix(".safetensors")]

    def program(copy: Path, out: Path) -> Words:
        return [*world.build(out.with_suffix(".db"), draws=0), "--network", copy]

    def labels(copy: Path, out: Path) -> Words:
        return [*world.build(out.with_suffix(".db"), draws=0), "--classes", copy]

    def adopt(copy: Path, out: Path) -> Words:
        return ["import", copy, "--db", out.with_suffix(".db")]

    def result(copy: Path, out: Path) -> Words:
        return [*adopt(copy, out), "--network", "vgg16", "--layer", "features.29", "--concepts", "broden"]

    def unpack(copy: Path, out: Path) -> Words:
        return ["concepts", "fetch", "broden1_224", out, "--file", copy]

    def matches(copy: Path, out: Path) -> Words:
        drawn = ["--data", world.squares, "--classes", base / "classes.txt", "--matches", copy]
        return ["evaluate", "pointing", *world.network, *drawn, "--out", out]

    return (
        Reader("label map (PNG)", world.squares, "masks/000.png", build),
        Reader("photograph (PNG)", world.squares, "images/000.png", build),
        Reader("photograph (JPEG)", base / "jpegs", "images/000.jpg", build, is_checked=False),
        Reader("concepts.csv", world.squares, "concepts.csv", build, is_checked=False, is_text=True),
        Reader("index.csv", world.broden, "index.csv", build, is_checked=False, is_text=True),
        Reader("label.csv", world.broden, "label.csv", build, is_checked=False, is_text=True),
        Reader("category.csv", world.broden, "category.csv", build, is_checked=False, is_text=True),
        Reader("Broden's label map", world.broden, "images/**/*.png", build),
        Reader("VOC's label map", base / "voc" / "VOC2012", "SegmentationClass/2007_000000.png", convert("voc")),
        Reader(
            "VOC's list",
            base / "voc" / "VOC2012",
            "ImageSets/Segmentation/train.txt",
            convert("voc"),
            is_checked=False,
            is_text=True,
        ),
        Reader("ADE20K's label map", base / "ade", "images/**/0_seg.png", convert("ade20k")),
        Reader("ADE20K's index (.mat)", base / "ade", "index_ade20k.mat", convert("ade20k"), is_checked=False),
        Reader("PASCAL Context (.mat)", base / "context", "trainval/2008_000000.mat", convert("pascal-context")),
        Reader("PASCAL-Part (.mat)", base / "parts", "Annotations_Part/2008_000000.mat", convert("pascal-part")),
        Reader(
            "PASCAL-Part, not packed (.mat)",
            base / "parts-plain",
            "Annotations_Part/2008_000000.mat",
            convert("pascal-part"),
            is_checked=False,
        ),
        Reader(
            "COCO's instances",
            base / "coco",
            "annotations/instances_train.json",
            convert("coco-instances"),
            is_checked=False,
            is_text=True,
        ),
        Reader("archive (zip)", base / "dtd.zip", "", unpack),
        Reader("archive (tar.gz)", base / "dtd.tar.gz", "", unpack),
        Reader("archive (tar.xz)", base / "dtd.tar.xz", "", unpack),
        Reader("weights (safetensors)", base / "weights.safetensors", "", weights, is_checked=False),
        Reader("weights (.pt)", base / "weights.pt", "", weights),
        Reader("weights before PyTorch 1.6 (.pt)", base / "weights-1.5.pt", "", weights, is_checked=False),
        Reader("whole network (.pt)", base / "whole.pt", "", extract),
        Reader("program (.pt2)", base / "net.pt2", "", program),
        Reader("class labels", base / "classes.txt", "", labels, is_checked=False, is_text=True),
        Reader("matches of classes", base / "matches.csv", "", matches, is_checked=False, is_text=True),
        Reader("names.json", base / "names.json", "", adopt, is_text=True),
        Reader("exported folder", base / "exported", "**/*.json", adopt, is_text=True),
        Reader("exported pictures", base / "exported", "**/*.jpg", adopt, is_checked=False),
        Reader("NetDissect's result", base / "tally.csv", "", result, is_checked=False, is_text=True),
        Reader("names.db, imported", world.database, "", adopt),
        Reader("names.db, listed", world.database, "", lambda copy, _: ["units", "--json", "--db", copy, "--run", 1]),
        Reader("names.db, explained", world.database, "", world.explain),
    )


def copied(reader: Reader, folder: Path) -> tuple[Path, list[Path]]:
    """A copy of a reader's source in a folder, and the files in it that may be damaged."""
    copy = folder / reader.source.name
    if reader.source.is_dir():
        shutil.copytree(reader.source, copy)
        return copy, sorted(copy.glob(reader.pattern))
    shutil.copy(reader.source, copy)
    return copy, [copy]
