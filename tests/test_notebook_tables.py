"""What a notebook shows of a store and of a dissection: one line, or a table in which everything is escaped."""

import re
from dataclasses import replace
from html.parser import HTMLParser

import pytest
import store_cases as cases
from worlds import COLOURS, colour_concepts, colour_network

from db import NameStore
from dissection.dissect import dissect
from dissection.html_tables import html_table
from dissection.vocabulary import Concept, Dissection

HOSTILE = "<script>alert(1)</script>&\"'\u202e\x1b[8m\n"


class Cells(HTMLParser):
    """The texts of a table's cells; every tag must be closed."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.rows: list[list[str]] = []
        self.feed(html)
        assert not self.open

    def handle_starttag(self, tag, attrs):
        assert tag in {"div", "table", "caption", "thead", "tbody", "tr", "th", "td", "p"}
        self.open.append(tag)
        if tag == "tr":
            self.rows.append([])
        if tag in {"td", "th"}:
            self.rows[-1].append("")

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if self.open and self.open[-1] in {"td", "th"}:
            self.rows[-1][-1] += data


@pytest.fixture(scope="module")
def dissection() -> Dissection:
    return dissect(colour_network(), colour_concepts(40), min_images=1, draws=9)


def test_a_dissection_is_one_line(dissection):
    assert repr(dissection) == "<Dissection of rectify: 4 of 4 units named, 40 images, 4 concepts>"
    hostile = replace(dissection, layer=replace(dissection.layer, name="a\nb"))
    assert "\n" not in repr(hostile)


def test_a_dissection_is_a_table_of_its_named_units(dissection):
    head, *rows = Cells(dissection._repr_html_()).rows
    assert head == ["unit", "name", "category", "IoU", "truth"]
    assert sorted(row[1] for row in rows) == sorted(COLOURS)
    assert {tuple(row[2:4]) for row in rows} == {("color", "1")}
    assert all(re.fullmatch(r"100% of \d+", row[4]) for row in rows)
    without = dissect(colour_network(), colour_concepts(8), min_images=1)
    assert {row[4] for row in Cells(without._repr_html_()).rows[1:]} <= {"", "100% of 2"}


def test_a_long_table_is_cut_and_says_so(dissection):
    many = replace(dissection, units=tuple(replace(dissection.units[0], number=number) for number in range(130)))
    html = many._repr_html_()
    assert len(Cells(html).rows) == 101
    assert "and 30 more" in html


def test_a_store_is_a_table_of_its_runs(tmp_path):
    with NameStore.create(tmp_path / "names.db") as store:
        assert repr(store) == f"NameStore({str(tmp_path / 'names.db')!r})"
        assert "0 runs" in store._repr_html_()
        small = cases.small_dissection()
        run = store.publish(replace(cases.run_of(small), network=HOSTILE), small, cases.small_importances())
        head, row = Cells(store._repr_html_()).rows
    assert head == ["run", "network", "layer", "units", "concepts", "images", "quantile", "built"]
    assert row[0] == "1"
    assert row[1].startswith("<script>alert(1)</script>&\"'")
    assert row[2:7] == ["features.29", "6", "msrc", "800", "0.005"]
    assert row[7] == f"{run.created:%Y-%m-%d %H:%M}"


def test_nothing_of_a_stranger_becomes_code_or_steers(dissection):
    unit = dissection.units[0]
    overlap = replace(unit.overlaps[0], concept=Concept(1, HOSTILE, HOSTILE))
    units = (replace(unit, overlaps=(overlap,)), *dissection.units[1:])
    hostile = replace(dissection, units=units, layer=replace(dissection.layer, name=HOSTILE))
    for html in (hostile._repr_html_(), html_table(HOSTILE, [HOSTILE], [[HOSTILE]], HOSTILE)):
        assert "<script" not in html
        assert "\u202e" not in html
        assert "\x1b" not in html
        Cells(html)


def test_colours_are_those_around_the_table(dissection):
    """So that it can be read in dark and light themes alike: no colour of its own but a half transparent grey."""
    html = dissection._repr_html_()
    assert "color:inherit" in html
    assert not re.search(r"#[0-9a-f]{3}|(?<!-)color:(?!inherit)", html)
    assert set(re.findall(r"rgba\([^)]*\)", html)) == {"rgba(128,128,128,.35)"}
