"""Joined datasets: one vocabulary, counted again, with every category labelled where it was and nowhere else."""

from __future__ import annotations

import csv
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from broden import writing_broden
from PIL import Image

from dissection.concepts.broden.layout import BrodenLayout
from dissection.concepts.checking import check
from dissection.concepts.conversion import convert
from dissection.concepts.fingerprints import fingerprint
from dissection.concepts.joining import Joined
from dissection.concepts.layouts import open_concepts
from dissection.concepts.plain_layout import PlainLayout
from dissection.concepts.synonyms import read_synonyms
from dissection.errors import ConceptDataError
from dissection.vocabulary import Concept

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from dissection.concepts.dataset import ConceptDataset

    Run = Callable[..., tuple[int, str, str]]

SIZE = 4


@pytest.fixture
def plain(tmp_path: Path) -> Path:
    """Two photographs: one half an aeroplane and half grass, one all grass."""
    root = tmp_path / "plain"
    (root / "images").mkdir(parents=True)
    (root / "masks").mkdir()
    (root / "concepts.csv").write_text("number,name,category\n3,Aeroplane,object\n9,grass,object\n")
    (root / "LICENSE.txt").write_text("free")
    for name, top in (("a", 3), ("b", 9)):
        mask = np.full((SIZE, SIZE), 9, np.uint8)
        mask[:2] = top
        Image.fromarray(mask).save(root / "masks" / f"{name}.png")
        Image.new("RGB", (SIZE, SIZE), "green").save(root / "images" / f"{name}.jpg")
    return root


@pytest.fixture
def broden(tmp_path: Path) -> Path:
    """Two photographs of a beach: one with an airplane and sky, and a colour; one with no object and another colour."""
    words = [
        Concept(1, "beach-s", "scene"),
        Concept(2, "airplane", "object"),
        Concept(3, "sky", "object"),
        Concept(4, "red-c", "color"),
        Concept(5, "gray-c", "color"),
    ]
    plane = np.array([[2, 2, 3, 3]] * SIZE, np.int32)
    first: dict[str, list[Any]] = {"scene": [1], "object": [plane], "color": [np.full((SIZE, SIZE), 4, np.int32)]}
    second: dict[str, list[Any]] = {"scene": [1], "color": [5]}
    with writing_broden(tmp_path / "broden", words, label_size=(SIZE, SIZE)) as writer:
        for name, labels in (("a.jpg", first), ("b.jpg", second)):
            writer.add(name, Image.new("RGB", (SIZE, SIZE), "red"), labels)
    return tmp_path / "broden"


def joined(*folders: Path, synonyms: dict[str, str] | None = None) -> Joined:
    return Joined([open_concepts(each) for each in folders], read_synonyms() if synonyms is None else synonyms)


def write(dataset: ConceptDataset, target: Path) -> BrodenLayout:
    convert(dataset, target, size=SIZE, label_size=SIZE, min_images=1)
    assert check(target) == []
    return BrodenLayout(target)


def planes(dataset: ConceptDataset, index: int) -> dict[tuple[str, str], Any]:
    """Where each concept is, by its category and name."""
    labels = dataset.labels(index)
    size = labels.maps.shape[1:]
    return {
        (concept.category, concept.name): (labels.maps == number).any(0) | np.full(size, number in labels.whole)
        for number, concept in dataset.concepts.items()
    }


def test_words_for_the_same_are_one_concept(plain: Path, broden: Path, tmp_path: Path) -> None:
    dataset = joined(plain, broden)
    written = write(dataset, tmp_path / "new")
    expected = [
        Concept(1, "airplane", "object"),
        Concept(2, "grass", "object"),
        Concept(3, "sky", "object"),
        Concept(4, "beach", "scene"),
        Concept(5, "red", "color"),
        Concept(6, "grey", "color"),
    ]
    assert list(written.concepts.values()) == list(dataset.concepts.values()) == expected
    assert dict(dataset.replaced) == {"aeroplane": "airplane", "gray": "grey"}
    assert dataset.synonyms == {1: ("Aeroplane",), 6: ("gray",)}
    assert written.synonyms == {
        1: ("airplane", "Aeroplane"),
        2: ("grass",),
        3: ("sky",),
        4: ("beach",),
        5: ("red",),
        6: ("grey", "gray"),
    }
    assert [written.image_name(index) for index in range(4)] == [
        "plain/a.jpg",
        "plain/b.jpg",
        "broden/a.jpg",
        "broden/b.jpg",
    ]
    half, top = np.zeros((SIZE, SIZE), bool), np.zeros((SIZE, SIZE), bool)
    half[:, :2], top[:2] = True, True
    np.testing.assert_array_equal(planes(written, 0)["object", "airplane"], top)
    np.testing.assert_array_equal(planes(written, 2)["object", "airplane"], half)
    assert planes(written, 3)["scene", "beach"].all()


def test_what_is_not_labelled_stays_so_and_supports_are_counted_again(
    plain: Path, broden: Path, tmp_path: Path
) -> None:
    written = write(joined(plain, broden), tmp_path / "new")
    labelled = {
        category: [any(p.any() for (c, _), p in planes(written, i).items() if c == category) for i in range(4)]
        for category in written.categories
    }
    assert labelled == {
        "object": [True, True, True, False],
        "scene": [False, False, True, True],
        "color": [False, False, True, True],
    }
    with (tmp_path / "new" / "label.csv").open(newline="") as stream:
        table = list(csv.DictReader(stream))
    rows = {row["name"]: (row["category"], int(row["frequency"]), float(row["coverage"])) for row in table}
    assert rows == {
        "airplane": ("object(2)", 2, 1.0),
        "grass": ("object(2)", 2, 1.5),
        "sky": ("object(1)", 1, 0.5),
        "beach": ("scene(2)", 2, 2.0),
        "red": ("color(1)", 1, 1.0),
        "grey": ("color(1)", 1, 1.0),
    }


def test_each_image_shows_what_it_showed_in_its_own_dataset(plain: Path, broden: Path) -> None:
    sources = [PlainLayout(plain, label_size=SIZE), open_concepts(broden)]
    dataset = Joined(sources, {})
    index = 0
    for source in sources:
        for place in range(len(source)):
            seen = {key: plane for key, plane in planes(dataset, index).items() if plane.any()}
            own = planes(source, place)
            expected = {(c.category, c.spoken.lower()): own[c.category, c.name] for c in source.concepts.values()}
            assert seen.keys() == {key for key, plane in expected.items() if plane.any()}
            for key, plane in seen.items():
                np.testing.assert_array_equal(plane, expected[key])
            index += 1
    assert index == len(dataset)


def test_without_synonyms_words_stay_apart(plain: Path, broden: Path) -> None:
    names = [concept.name for concept in joined(plain, broden, synonyms={}).concepts.values()]
    assert names[:4] == ["aeroplane", "grass", "airplane", "sky"]


def test_two_words_of_one_dataset_become_one_label(plain: Path, tmp_path: Path) -> None:
    written = write(joined(plain, synonyms={"grass": "plant", "aeroplane": "plant"}), tmp_path / "new")
    assert [concept.name for concept in written.concepts.values()] == ["plant"]
    assert planes(written, 0)["object", "plant"].all()


def test_concepts_of_one_dataset_that_become_one_are_told(plain: Path, tmp_path: Path, run: Run) -> None:
    (plain / "concepts.csv").write_text("number,name,category\n3,Grass,object\n9,grass,object\n")
    assert joined(plain).merged == {"grass": ("Grass", "grass")}
    for form in ([], ["--json"]):
        words = ["--size", SIZE, "--label-size", SIZE, "--min-images", 1, *form]
        status, out, err = run("concepts", "join", plain, tmp_path / f"new{len(form)}", *words)
        assert status == 0
        assert "Several concepts of one dataset became one: Grass, grass = grass." in (err if form else out)


def test_folders_of_one_name_stay_apart(plain: Path, tmp_path: Path) -> None:
    dataset = joined(plain, plain, plain)
    names = [dataset.image_name(index) for index in range(len(dataset))]
    assert names[::2] == ["plain/a.jpg", "plain-2/a.jpg", "plain-3/a.jpg"]
    assert len(write(dataset, tmp_path / "new")) == 6


def test_licences_of_all_come_along(plain: Path, broden: Path, tmp_path: Path) -> None:
    (broden / "README").write_text("whose")
    write(joined(plain, broden), tmp_path / "new")
    assert (tmp_path / "new" / "LICENSE-plain.txt").read_text() == "free"
    assert (tmp_path / "new" / "README-broden").read_text() == "whose"
    write(joined(tmp_path / "new"), tmp_path / "newer")
    assert (tmp_path / "newer" / "LICENSE-plain-new.txt").read_text() == "free"


def test_a_file_that_changes_while_datasets_are_joined_is_named(plain: Path, broden: Path, tmp_path: Path) -> None:
    dataset, file = joined(plain, broden), broden / "images" / "b.jpg"
    with pytest.raises(ConceptDataError, match=r"broden/images/b\.jpg was changed while it was converted"):
        convert(dataset, tmp_path / "new", size=SIZE, label_size=SIZE, min_images=1, progress=lambda *_: file.touch())
    assert not list(tmp_path.glob("*new*"))


def test_the_synonyms_are_part_of_what_it_is_known_by(plain: Path) -> None:
    assert fingerprint(joined(plain)) != fingerprint(joined(plain, synonyms={}))
    assert fingerprint(joined(plain)) == fingerprint(joined(plain))


@pytest.mark.parametrize(
    ("table", "words"),
    [
        ("from,to\nsofa,couch\nsofa,settee\n", "line 3: 'sofa' appears twice"),
        ("from,to\nsofa,couch\ncouch,settee\n", "'sofa' becomes 'couch', which becomes 'settee'"),
        ("from,to\nsofa,sofa\n", "'sofa' becomes 'sofa'"),
        ("from,to\nsofa,\n", "line 2: to is empty"),
        ("a,b\n1,2\n", "columns named from, to"),
    ],
)
def test_bad_tables_of_synonyms_are_refused(tmp_path: Path, table: str, words: str) -> None:
    (tmp_path / "words.csv").write_text(table)
    with pytest.raises(ConceptDataError) as caught:
        read_synonyms(tmp_path / "words.csv")
    assert words in str(caught.value)
    assert "words.csv" in str(caught.value)


def test_the_packages_own_synonyms_are_a_good_table() -> None:
    synonyms = read_synonyms()
    assert synonyms["tvmonitor"] == "tv"
    assert all(word == word.lower() and instead == instead.lower() for word, instead in synonyms.items())
