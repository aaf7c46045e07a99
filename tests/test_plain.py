"""The plain layout, read as it is and converted into Broden's."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from dissection.concepts.broden.layout import BrodenLayout
from dissection.concepts.checking import check
from dissection.concepts.conversion import convert
from dissection.concepts.fingerprints import fingerprint
from dissection.concepts.label_maps import shrink
from dissection.concepts.layouts import open_concepts
from dissection.concepts.plain_layout import PlainLayout
from dissection.errors import ConceptDataError
from dissection.images.label_images import open_image
from dissection.vocabulary import Concept

if TYPE_CHECKING:
    from collections.abc import Callable

MSRC = Path(__file__).parents[2] / "shared" / "data" / "msrc"
WORDS = "number,name,category\n7,sky,Object\n2,grass,object\n300,wood,material\n"


@pytest.fixture
def plain(tmp_path: Path) -> Path:
    root = tmp_path / "small"
    (root / "images").mkdir(parents=True)
    (root / "masks").mkdir()
    (root / "concepts.csv").write_text(WORDS)
    Image.new("RGB", (4, 2), "red").save(root / "images" / "b.jpg")
    Image.fromarray(np.array([[7, 7, 2, 0], [7, 7, 2, 0]], np.uint8)).save(root / "masks" / "b.png")
    Image.new("RGB", (4, 2), "blue").save(root / "images" / "a.webp", lossless=True)
    Image.fromarray(np.array([[300, 300, 0, 0], [0, 0, 7, 7]], np.uint16)).save(root / "masks" / "a.png")
    return root


def test_what_it_is_made_of(plain: Path) -> None:
    (plain / "images" / ".DS_Store").write_text("litter")
    dataset = open_concepts(plain)
    assert isinstance(dataset, PlainLayout)
    assert dataset.name == "small"
    assert [dataset.image_name(index) for index in range(len(dataset))] == ["a.webp", "b.jpg"]
    assert dict(dataset.concepts) == {
        2: Concept(2, "grass", "object"),
        7: Concept(7, "sky", "object"),
        300: Concept(300, "wood", "material"),
    }
    assert list(dataset.concepts) == [2, 7, 300]
    assert dataset.categories == ("object", "material")
    assert [file.name for file in dataset.files(0)] == ["a.webp", "a.png"]
    assert dataset.photograph(0).size == (4, 2)
    assert np.asarray(dataset.photograph(0))[0, 0].tolist() == [0, 0, 255]


def test_masks_are_brought_to_the_label_size(plain: Path) -> None:
    labels = PlainLayout(plain, label_size=2).labels(1)
    assert labels.maps.dtype == np.int32
    assert labels.maps.tolist() == [[[7, 0], [7, 0]]], "centres at columns 1 and 3"
    assert PlainLayout(plain).labels(0).maps.shape == (1, 112, 112)
    assert set(np.unique(PlainLayout(plain).labels(0).maps)) == {0, 7, 300}


@given(height=st.integers(1, 12), width=st.integers(1, 12), size=st.tuples(st.integers(1, 12), st.integers(1, 12)))
def test_shrinking_takes_the_pixel_under_the_centre(height: int, width: int, size: tuple[int, int]) -> None:
    numbers = np.arange(height * width, dtype=np.int32).reshape(height, width)
    shrunk = shrink(numbers, *size)
    for row in range(size[0]):
        for column in range(size[1]):
            y, x = divmod(int(shrunk[row, column]), width)
            # a centre on an edge may fall to either side of it
            assert abs((row + 0.5) * height / size[0] - (y + 0.5)) <= 0.5 + 1e-9
            assert abs((column + 0.5) * width / size[1] - (x + 0.5)) <= 0.5 + 1e-9


def test_palette_and_one_bit_masks(plain: Path) -> None:
    palette = Image.fromarray(np.array([[7, 2, 0, 0], [7, 2, 0, 0]], np.uint8))
    palette.putpalette(list(range(30)) * 3)
    palette.save(plain / "masks" / "b.png")
    assert open_image(plain / "masks" / "b.png").mode == "P"
    assert PlainLayout(plain, label_size=4).labels(1).maps[0, 0].tolist() == [7, 2, 0, 0]
    (plain / "concepts.csv").write_text("number,name,category\n1,lit,thing\n7,sky,object\n300,wood,material\n")
    Image.fromarray(np.array([[True, False, False, True]] * 2)).save(plain / "masks" / "b.png")
    assert PlainLayout(plain, label_size=4).labels(1).maps[0, 0].tolist() == [1, 0, 0, 1]


def test_the_mask_covers_the_upright_photograph(plain: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.new("RGB", (2, 4)).save(plain / "images" / "b.jpg", exif=exif)
    dataset = PlainLayout(plain, label_size=4)
    assert dataset.photograph(1).size == (4, 2)
    assert dataset.labels(1).maps[0, 0].tolist() == [7, 7, 2, 0]


def image(name: str, size: tuple[int, int] = (4, 2), mode: str = "RGB") -> Callable[[Path], None]:
    return lambda root: Image.new(mode, size).save(root / name)


def text(content: str) -> Callable[[Path], None]:
    return lambda root: (root / "concepts.csv").write_text(content) and None


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (image("images/c.jpg"), ["c.jpg", "no mask", "masks/c.png"]),
        (image("masks/c.png", mode="L"), ["c.png", "no photograph"]),
        (image("images/b.png"), ["b.png", "b.jpg", "same name"]),
        (lambda root: (root / "images" / "notes.txt").touch(), ["notes.txt", ".jpg"]),
        (lambda root: (root / "masks" / "more").mkdir(), ["more", ".png"]),
        (text("number;name;category\n1;sky;object\n"), ["number;name;category", "separated by commas"]),
        (text("number,name,category\n"), ["concepts.csv", "no lines"]),
        (text("number,name,category\n0,sky,object\n"), ["line 2", "'0'", "from 1"]),
        (text("number,name,category\n-3,sky,object\n"), ["line 2", "'-3'"]),
        (text("number,name,category\n9,sky,object\n9,sea,object\n"), ["line 3", "9", "twice"]),
        (text("number,name,category\n9,,object\n"), ["line 2", "name is empty"]),
        (text("number,name,category\n9,sky,a/b\n"), ["line 2", "a/b"]),
        (text('number,name,category\n9,"sky,object\n'), ["not CSV"]),
    ],
)
def test_bad_folders_are_refused_at_once(plain: Path, spoil: Callable[[Path], None], words: list[str]) -> None:
    spoil(plain)
    with pytest.raises(ConceptDataError) as caught:
        PlainLayout(plain)
    assert all(word in str(caught.value) for word in words), caught.value
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (image("masks/b.png", size=(2, 4), mode="L"), ["b.png", "2 pixels wide and 4 high", "4 by 2", "b.jpg"]),
        (image("masks/b.png"), ["b.png", "mode RGB", "index mask"]),
        (lambda root: Image.new("L", (4, 2), 9).save(root / "masks" / "b.png"), ["b.png", "label 9", "concepts.csv"]),
        (lambda root: (root / "masks" / "b.png").write_bytes(b""), ["b.png", "0 bytes"]),
        (lambda root: (root / "images" / "b.jpg").write_bytes(b"no"), ["b.jpg", "not an image"]),
    ],
)
def test_bad_masks_are_refused_when_read(plain: Path, spoil: Callable[[Path], None], words: list[str]) -> None:
    spoil(plain)
    dataset = PlainLayout(plain)
    with pytest.raises(ConceptDataError) as caught:
        dataset.labels(1)
    assert all(word in str(caught.value) for word in words), caught.value


def test_a_bad_photograph_is_refused_when_read(plain: Path) -> None:
    (plain / "images" / "b.jpg").write_bytes((plain / "images" / "b.jpg").read_bytes()[:400])
    with pytest.raises(ConceptDataError, match=r"b\.jpg: the image is cut short"):
        PlainLayout(plain).photograph(1)


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda path: None, "no such folder"),
        (lambda path: path.write_text("zip"), "unpack"),
        (lambda path: path.mkdir(), "found in it: nothing; Broden's layout"),
        (lambda path: (path / "photos").mkdir(parents=True), "found in it: photos/; Broden's layout"),
    ],
)
def test_other_folders(tmp_path: Path, make: Callable[[Path], Any], words: str) -> None:
    make(tmp_path / "x")
    with pytest.raises(ConceptDataError, match=words):
        open_concepts(tmp_path / "x")


def test_fingerprint_holds_the_label_size(plain: Path, tmp_path: Path) -> None:
    original = fingerprint(PlainLayout(plain))
    assert fingerprint(PlainLayout(plain, label_size=56)) != original
    shutil.copytree(plain, tmp_path / "copy")
    assert fingerprint(PlainLayout(tmp_path / "copy")) == original
    (plain / "concepts.csv").write_text(WORDS.replace("sky", "heaven"))
    assert fingerprint(PlainLayout(plain)) != original


def test_converting_keeps_the_labels(plain: Path, tmp_path: Path) -> None:
    (plain / "LICENSE.txt").write_text("free")
    seen: list[tuple[int, int]] = []
    summary = convert(
        PlainLayout(plain), tmp_path / "out", size=8, label_size=4, min_images=0, progress=lambda *far: seen.append(far)
    )
    assert (summary.images, summary.concepts, summary.dropped) == (2, 3, ())
    assert sum(total.pixels for total in summary.categories) == sum(one.pixels for one in summary.survey.concepts)
    assert seen == [(1, 4), (2, 4), (3, 4), (4, 4)]
    assert (tmp_path / "out" / "LICENSE.txt").read_text() == "free"
    written, source = open_concepts(tmp_path / "out"), PlainLayout(plain, label_size=4)
    assert isinstance(written, BrodenLayout)
    assert check(tmp_path / "out") == []
    assert dict(written.concepts) == dict(source.concepts)
    assert [written.image_name(index) for index in range(2)] == ["a.jpg", "b.jpg"]
    assert written.photograph(0).size == (8, 8)
    for index, layers in ((0, 2), (1, 1)):
        labels = written.labels(index)
        assert len(labels.maps) == layers, "a map for each category that the image is labelled in"
        np.testing.assert_array_equal(labels.maps.sum(0), source.labels(index).maps[0])


def test_rare_concepts_are_dropped(plain: Path, tmp_path: Path) -> None:
    summary = convert(PlainLayout(plain), tmp_path / "out", label_size=4, min_images=2)
    assert summary.concepts == 1
    assert [(one.concept.name, one.images, one.pixels) for one in summary.dropped] == [("grass", 1, 4), ("wood", 1, 4)]
    assert [one.images for one in summary.survey.concepts] == [1, 2, 1]
    written = BrodenLayout(tmp_path / "out")
    assert list(written.concepts) == [7]
    assert set(np.unique(written.labels(1).maps)) == {0, 7}
    with pytest.raises(ConceptDataError, match="no concept is on 3 images"):
        convert(PlainLayout(plain), tmp_path / "more", min_images=3)


@pytest.mark.skipif(not MSRC.exists(), reason="the sample data are not here")
def test_msrc_is_read_as_it_is() -> None:
    dataset = open_concepts(MSRC)
    assert (len(dataset), len(dataset.concepts), dataset.categories) == (388, 23, ("object",))
    names = [dataset.image_name(index) for index in range(len(dataset))]
    assert names == sorted(names)
    for index in range(0, 388, 97):
        mask = open_image(MSRC / "masks" / f"{Path(names[index]).stem}.png")
        expected = np.asarray(mask.resize((112, 112), Image.Resampling.NEAREST))
        np.testing.assert_array_equal(dataset.labels(index).maps, expected[None])
        assert dataset.photograph(index).size == mask.size
