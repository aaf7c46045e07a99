"""Every published layout, converted from the command line and read again."""

from __future__ import annotations

import json
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from published import (
    halves,
    part_object,
    write_ade_2016,
    write_ade_2021,
    write_context,
    write_dtd,
    write_parts,
    write_scene_parsing,
    write_voc,
)
from test_hf import NAMES, as_folder, named

from dissection.concepts.checking import check
from dissection.concepts.formats import FORMATS
from dissection.concepts.formats.shared.label_table import Label, LabelTable
from dissection.concepts.layouts import open_concepts
from dissection.errors import ConceptDataError

if TYPE_CHECKING:
    from dissection.concepts.dataset import ConceptDataset


def ade(root: Path) -> Path:
    images = {
        "training/a/abbey/ADE_train_00000001": [halves(1, 2), halves(0, 2)],
        "training/b/bakery/shop/ADE_train_00000002": [halves(0, 1)],
    }
    return write_ade_2016(root / "ade", ["door, double door", "wheel"], images)


def ade_2021(root: Path) -> Path:
    images = {"ADE/training/urban/street/ADE_train_00000001": [halves(401, 7), halves(7, 0)]}
    return write_ade_2021(root / "ade", {401: "car, auto", 7: "wheel"}, images)


def benchmark(root: Path) -> Path:
    return write_scene_parsing(root / "ade", {"training/ADE_train_00000001": (halves(2, 4), "airport_terminal")})


def voc(root: Path) -> Path:
    return write_voc(root / "VOC2012", {"a": halves(20, 255), "b": halves(0, 0)}, {"train": ["a"], "val": ["b"]})


def context(root: Path) -> Path:
    return write_context(root / "pascal", "1: accordion\n2: unknown\n", {"a": halves(1, 2)})


def parts(root: Path) -> Path:
    things = [part_object("pottedplant", halves(1, 1), {"plant": halves(1, 0), "pot": halves(1, 1)})]
    return write_parts(root / "VOC2010", {"a": things})


def dtd(root: Path) -> Path:
    return write_dtd(root / "dtd", ["banded/banded_1.jpg", "lined/lined_1.jpg"], "banded/banded_1.jpg banded lined\n")


def hf(root: Path) -> Path:
    return named(as_folder(root), NAMES)


WORLDS = [
    ("ade20k", ade),
    ("ade20k", ade_2021),
    ("ade20k", benchmark),
    ("voc", voc),
    ("pascal-context", context),
    ("pascal-part", parts),
    ("dtd", dtd),
    ("hf", hf),
]


def test_words() -> None:
    words = LabelTable(
        [
            Label("object", 1, "plant, flora"),
            Label("object", 2, "plant, works"),
            Label("object", 3, " potted_plant ,, pot plant"),
            Label("object", 4, "plant, flora"),
            Label("part", 1, "plant"),
            Label("part", 5, " "),
            Label("object", 70000, "plant"),
        ],
        "the table",
        ignored={255},
    )
    assert [(each.category, each.name) for each in words.concepts.values()] == [
        ("object", "plant"),
        ("object", "plant (works)"),
        ("object", "potted plant"),
        ("part", "plant"),
    ]
    assert words.synonyms == {1: ("flora",), 2: ("works",), 3: ("pot plant",)}
    assert words.codes("object") == {1: 1, 2: 2, 3: 3, 4: 1, 70000: 1}
    assert words.codes("part") == {1: 4}
    assert words.codes("scene") == {}
    codes = np.array([[0, 1, 2], [3, 4, 255], [1, 1, 1]], np.int32)
    assert words.label_map(Path("x"), codes, "object", 3).tolist() == [[0, 1, 2], [3, 1, 0], [1, 1, 1]]
    with pytest.raises(ConceptDataError, match=r"x: label 2, 3, 4 was found, which the table does not name"):
        words.label_map(Path("x"), codes, "part", 3)


def test_lists_that_differ_late_are_two_concepts() -> None:
    lists = ["plant, flora", "plant, works, mill", "plant, works, refinery", "plant, works", "plant"]
    words = LabelTable([Label("object", code, names) for code, names in enumerate(lists, 1)], "the table")
    names = {number: concept.name for number, concept in words.concepts.items()}
    assert names == {1: "plant", 2: "plant (works)", 3: "plant (works, refinery)"}
    assert words.codes("object") == {1: 1, 2: 2, 3: 3, 4: 2, 5: 1}


Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def run(run: Run) -> Run:
    return partial(run, "concepts")


def said(dataset: ConceptDataset, index: int) -> dict[Any, int]:
    """Pixels of each concept, by category and name; a whole image has 36."""
    labels, areas = dataset.labels(index), {}
    for number, concept in dataset.concepts.items():
        pixels = int((labels.maps == number).any(0).sum()) if number not in labels.whole else 36
        if pixels:
            areas[concept.category, concept.name] = pixels
    return areas


@pytest.mark.parametrize(("kind", "write"), WORLDS, ids=[write.__name__ for _, write in WORLDS])
@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
def test_converted_from_the_command_line(kind: str, write: Callable[[Path], Path], tmp_path: Path, run: Run) -> None:
    src, dst = write(tmp_path), tmp_path / "new"
    words = ["convert", "--from", kind, src, dst, "--size", 12, "--label-size", 6, "--min-images", 1]
    status, out, _ = run(*words, "--json")
    assert status == 0
    told = json.loads(out)
    assert run("check", dst)[0] == 0
    assert check(dst) == []
    source, written = FORMATS[kind].open(src, label_size=6), open_concepts(dst)
    assert (told["images"], len(written)) == (len(source), len(source))
    for index in range(len(source)):
        assert written.image_name(index) == source.image_name(index)
        assert said(written, index) == said(source, index)
    if kind != "hf":
        assert source.attribution.encode() in (dst / "ATTRIBUTION.txt").read_bytes()


@pytest.mark.parametrize(("kind", "write"), WORLDS, ids=[write.__name__ for _, write in WORLDS])
def test_a_folder_of_something_else_is_refused(kind: str, write: Any, tmp_path: Path, run: Run) -> None:
    (tmp_path / "src").mkdir()
    status, _, told = run("convert", "--from", kind, tmp_path / "src", tmp_path / "new")
    assert status == 2
    assert str(tmp_path / "src") in told.replace("\n", "")
    assert "Traceback" not in told
    assert not (tmp_path / "new").exists()


def test_columns_are_named_on_the_command_line(tmp_path: Path, run: Run) -> None:
    words = ["convert", "--from", "hf", hf(tmp_path), tmp_path / "new", "--min-images", 1]
    status, _, err = run(*words, "--masks", "image")
    assert (status, "cannot be both" in err) == (2, True)
    assert run(*words, "--photographs", "image", "--masks", "annotation")[0] == 0
    assert len(open_concepts(tmp_path / "new")) == 3
    words = ["convert", "--from", "voc", voc(tmp_path), tmp_path / "more", "--masks", "image"]
    status, _, err = run(*words)
    assert (status, "voc has no column of masks" in err) == (2, True)


@pytest.mark.parametrize(("kind", "write"), WORLDS, ids=[write.__name__ for _, write in WORLDS])
def test_images_may_be_read_in_threads(kind: str, write: Callable[[Path], Path], tmp_path: Path) -> None:
    dataset = FORMATS[kind].open(write(tmp_path), label_size=6)
    order = [*range(len(dataset))] * 40

    def read(index: int) -> tuple[Any, bytes]:
        return said(dataset, index), dataset.photograph(index).tobytes()

    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(read, order)) == [read(index) for index in order]


def test_an_archive_is_to_be_unpacked_first(tmp_path: Path) -> None:
    (tmp_path / "broden.zip").write_bytes(b"PK")
    with pytest.raises(ConceptDataError, match=r"broden\.zip: this is an archive; .*concepts fetch NAME --file"):
        FORMATS["broden"].open(tmp_path / "broden.zip", label_size=8)
