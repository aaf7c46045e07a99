"""Which images hold a concept, and the page that shows them all."""

import csv
import io
import json
from functools import partial

import numpy as np
import pytest
from broden import writing_broden
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from test_report import HOSTILE, Page, decoded
from worlds import SHARED, MemoryConcepts

from dissection.concepts.census import census
from dissection.concepts.surveys import survey
from dissection.errors import ConceptDataError
from dissection.vocabulary import Concept, Labels
from neuronexplain.concept_words import find_concept
from neuronexplain.report.contact_page import write_sheet
from neuronexplain.report.contact_sheet import contact_sheet

WORDS = {number: Concept(number, f"thing {number}", ("object", "part")[number % 2]) for number in range(1, 6)}


def world(all_labels: list[Labels], concepts: dict[int, Concept] = WORDS, grey: int = 200) -> MemoryConcepts:
    photographs = [Image.new("RGB", (64, 32), (grey, grey, grey)) for _ in all_labels]
    return MemoryConcepts(photographs, all_labels, concepts, ("object", "part"))


@st.composite
def labelled(draw: st.DrawFn) -> Labels:
    height, width = draw(st.integers(1, 4)), draw(st.integers(1, 4))
    layers = draw(st.integers(0, 2))
    cells = draw(st.lists(st.integers(0, 6), min_size=layers * height * width, max_size=layers * height * width))
    whole = draw(st.sets(st.integers(1, 6), max_size=2))
    return Labels(np.array(cells, np.int32).reshape(layers, height, width), tuple(whole))


@given(st.lists(labelled(), min_size=1, max_size=6))
def test_a_census_counts_as_the_definition_does(all_labels):
    dataset = world(all_labels)
    found = census(dataset)
    for number in WORDS:
        slow = []
        for index, labels in enumerate(all_labels):
            _, height, width = labels.maps.shape
            cells = [(y, x) for y in range(height) for x in range(width)]
            held = [
                (y, x)
                for y, x in cells
                if number in labels.whole or any(layer[y, x] == number for layer in labels.maps)
            ]
            if held:
                slow.append((index, len(held), len(held) / len(cells)))
        assert found.holders[number].listed() == sorted(slow, key=lambda row: (-row[2], row[0]))
    assert tuple(found.support(concept) for concept in WORDS.values()) == survey(dataset).concepts
    assert (found.images, found.pixels) == (survey(dataset).images, survey(dataset).pixels)


class Worded(MemoryConcepts):
    @property
    def synonyms(self):
        return {1: ("heavens", "sky"), 2: ("ocean", "heavens")}


NAMED = {
    1: Concept(1, "sky", "object"),
    2: Concept(2, "sea_water", "object"),
    3: Concept(3, "red-c", "color"),
    4: Concept(4, "red", "object"),
    7: Concept(7, "beach-s", "scene"),
    9: Concept(9, "12", "object"),
    12: Concept(12, "sea", "part"),
}


@pytest.mark.parametrize(
    ("typed", "category", "number"),
    [
        ("SKY", None, 1),
        ("sea water", None, 2),
        ("Sea-Water", None, 2),
        ("ocean", None, 2),
        ("beach", None, 7),
        ("beach-s", None, 7),
        ("red", "Color", 3),
        ("red-c", None, 3),
        ("4", None, 4),
        ("12", None, 9),  # a name goes before a number
        ("sea", None, 12),
    ],
)
def test_a_concept_is_found_by_name_synonym_or_number(typed, category, number):
    assert find_concept(Worded([], [], NAMED), typed, category=category).number == number


def test_a_concept_that_is_not_there_or_several():
    dataset = Worded([], [], NAMED, name="toy")
    with pytest.raises(ConceptDataError, match=r"toy has no concept 'oceans'; similar ones are sea water"):
        find_concept(dataset, "oceans")
    with pytest.raises(ConceptDataError, match=r"similar ones are sea water"):
        find_concept(dataset, "wat")
    with pytest.raises(ConceptDataError, match=r"choose one of its 6, such as sky, sea water, red"):
        find_concept(dataset, "giraffe")
    with pytest.raises(
        ConceptDataError, match=r"several concepts of toy: 3 \(red, color\), 4 \(red, object\); give the"
    ):
        find_concept(dataset, "red")
    with pytest.raises(ConceptDataError, match=r"several concepts of toy: 1 \(sky, object\), 2"):
        find_concept(dataset, "heavens")
    with pytest.raises(ConceptDataError, match=r"no concepts of category 'thing'; choose one of "):
        find_concept(dataset, "sky", category="thing")


def strip(width: int, number: int) -> Labels:
    """``number`` on the left ``width`` of 64 columns."""
    cells = np.zeros((1, 32, 64), np.int32)
    cells[:, :, :width] = number
    return Labels(cells)


def test_the_sheet_shows_the_concepts_pixels_and_the_images_with_most_of_it():
    dataset = world(
        [strip(width, 1) for width in (8, 16, 24, 32, 40, 48)] + [Labels(np.zeros((0, 1, 1), np.int32), (2,))]
    )
    told = []
    sheet = contact_sheet(dataset, census(dataset), each=3, progress=lambda *counts: told.append(counts))
    part, thing = (next(one for one in sheet.categories if one.name == name) for name in ("part", "object"))
    (card,) = part.shown
    assert [(example.image, example.share) for example in card.examples] == [
        ("photo 5", 0.75),
        ("photo 4", 0.625),
        ("photo 3", 0.5),
    ]
    assert (card.images, card.share) == (6, pytest.approx(168 * 32 / (6 * 64 * 32 + 1)))
    picture = np.asarray(Image.open(io.BytesIO(card.examples[0].picture)).convert("L"), float)
    assert picture.shape == (32, 64)
    assert picture[:, :44].min() > 190
    assert picture[:, 54:].max() < 80
    whole = np.asarray(Image.open(io.BytesIO(thing.shown[0].examples[0].picture)).convert("L"))
    assert whole.min() > 190
    assert (sheet.shown, sheet.absent, sheet.left_out, sheet.pictures) == (2, 3, 0, 4)
    assert told[-1] == (4, 4)
    assert dataset.photographs[0].getpixel((63, 0)) == (200, 200, 200)


def test_a_sheet_is_bounded():
    dataset = world([strip(8, number) for number in (1, 1, 1, 1, 2, 2, 3)])
    found = census(dataset)
    sheets = {most: contact_sheet(dataset, found, most=most) for most in (2, 3, 6, 1000)}
    assert {most: (sheet.pictures, sheet.each, sheet.left_out) for most, sheet in sheets.items()} == {
        2: (2, 1, 1),
        3: (3, 1, 0),
        6: (5, 2, 0),
        1000: (7, 4, 0),
    }
    (left_out,) = (card for category in sheets[2].categories for card in category.left_out)
    assert left_out.number == 3  # on the fewest images
    assert {one.name for one in contact_sheet(dataset, found, category="part").categories} == {"part"}


def test_the_page_is_whole_and_says_what_it_leaves_out(tmp_path):
    dataset = world([strip(8, number) for number in (1, 1, 2, 3)])
    write_sheet(tmp_path / "page.html", contact_sheet(dataset, census(dataset), most=2))
    made = Page(tmp_path / "page.html")
    assert [decoded(attributes["src"]).size for attributes in made.all("img")] == [(64, 32)] * 2
    assert "each concept has 1 picture instead of 4, and 1 concept on the fewest images has none." in made.text
    assert "Without a picture here: thing 3 (1)." in made.text
    assert "On no image: thing 5." in made.text
    assert "thing 1 1 2 images · 6.2% of all pixels" in made.text
    anchors = {attributes["id"] for _, attributes in made.tags if "id" in attributes}
    assert {attributes["href"] for attributes in made.all("a")} <= {f"#{anchor}" for anchor in anchors}
    assert not made.all("script") + made.all("link")
    assert "default-src 'none'" in made.html


def test_hostile_names_stay_words(tmp_path):
    class Hostile(Worded):
        @property
        def synonyms(self):
            return {1: ("<b>bold</b>",)}

        def image_name(self, index):
            return HOSTILE

    concepts = {number: Concept(number, HOSTILE, "object") for number in (1, 3)}
    dataset = Hostile(world([strip(8, 1)]).photographs, [strip(8, 1)], concepts, ("object",), name=HOSTILE)
    write_sheet(tmp_path / "page.html", contact_sheet(dataset, census(dataset)))
    made = Page(tmp_path / "page.html")
    assert not made.all("script")
    assert not [attributes for _, attributes in made.tags if any(key.startswith("on") for key in attributes)]
    assert made.all("img")[0]["alt"] == f"{HOSTILE} in {HOSTILE}"
    assert made.all("figure")[0]["title"] == HOSTILE
    assert made.text.count(HOSTILE) >= 3
    assert "also <b>bold</b>" in made.text


@pytest.fixture
def run(run):
    return partial(run, "concepts")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("world") / "strips"
    with writing_broden(folder, [WORDS[1], WORDS[2]], label_size=(32, 64)) as writer:
        for index, width in enumerate((8, 32, 16, 0)):
            writer.add(f"{index}.jpg", Image.new("RGB", (64, 32)), {"part": list(strip(width, 1).maps)})
    return folder


def test_find_lists_the_images_with_most_of_it_first(folder, run):
    status, out, _ = run("find", folder, "Thing-1")
    assert status == 0
    assert "thing 1 (part, number 1) is on 3 of 4 images and covers 21.88% of all pixels." in out
    assert [line.split()[0] for line in out.splitlines() if ".jpg" in line] == ["1.jpg", "2.jpg", "0.jpg"]
    _, out, _ = run("find", folder, "thing 1", "--limit", 2)
    assert out.count(".jpg") == 2
    assert "1 more with --limit 3." in out
    assert len(json.loads(run("find", folder, "thing 1", "--limit", 2, "--json")[1])) == 2
    assert len(json.loads(run("find", folder, "thing 1", "--json")[1])) == 3
    _, out, _ = run("find", folder, "1", "--json", "--category", "part")
    assert json.loads(out)[0] == {
        "image": "1.jpg",
        "share": 0.5,
        "pixels": 1024,
        "concept": "thing 1",
        "category": "part",
        "number": 1,
    }
    _, out, _ = run("find", folder, "1", "--csv")
    assert [row["pixels"] for row in csv.DictReader(io.StringIO(out))] == ["1024", "512", "256"]


def test_find_says_when_there_is_none(folder, run):
    status, out, _ = run("find", folder, "thing 2")
    assert (status, out) == (0, "thing 2 (object, number 2) is on 0 of 4 images and covers 0.00% of all pixels.\n")
    assert run("find", folder, "2", "--json")[1] == "[]\n"
    status, _, err = run("find", folder, "think 1")
    assert status == 2
    assert (
        err.splitlines()[-1]
        == "neuronexplain: strips has no concept 'think 1'; similar ones are thing 1, thing 2: choose one"
    )


def test_show_writes_a_page(folder, run, tmp_path):
    status, out, _ = run("show", folder, "--out", tmp_path / "page.html", "--each", 2)
    assert (status, out) == (0, f"Written to {tmp_path / 'page.html'}: 2 pictures of 1 concept.\n")
    assert len(Page(tmp_path / "page.html").all("img")) == 2
    status, _, err = run("show", folder, "--out", tmp_path / "none" / "page.html")
    assert (status, "cannot write" in err) == (2, True)
    status, _, err = run("show", folder, "--category", "color", "--out", tmp_path / "other.html")
    assert (status, "no concepts of category 'color'; choose one of" in err) == (2, True)
    assert [path.name for path in tmp_path.iterdir()] == ["page.html"]


@pytest.mark.skipif(not SHARED.is_dir(), reason="shared data is not here")
def test_real_photographs_with_masks(run, tmp_path):
    status, out, _ = run("show", SHARED / "msrc", "--out", tmp_path / "page.html", "--each", 1)
    assert (status, "23 pictures of 23 concepts" in out) == (0, True)
    _, out, _ = run("find", SHARED / "msrc", "cow", "--json")
    rows = json.loads(out)
    assert len(rows) > 20
    assert [row["share"] for row in rows] == sorted((row["share"] for row in rows), reverse=True)
