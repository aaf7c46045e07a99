"""The page in a real browser: words and pixels light each other, and it reads on a phone, in the dark, on paper."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pytest
from browser import DESKTOP, PHONE, page_size, violations
from PIL import Image
from test_report import SECTIONS, explanation, jpeg, ranked, smooth

from dissection.vocabulary import Concept
from neuronexplain.answer import AnswerPair, Contrast, ExemplarPicture
from neuronexplain.evaluation.page import write_charts
from neuronexplain.evaluation.tables import Report
from neuronexplain.metrics.intervals import Figure
from neuronexplain.report.page import fragment, write_page
from neuronexplain.vocabulary import Rules, Score

if TYPE_CHECKING:
    from pathlib import Path

    from playwright.sync_api import Locator, Page


def corner(*, bottom: bool) -> np.ndarray:
    """A mask that is lit in the lower or the upper half."""
    mask = np.zeros((13, 13), np.float32)
    mask[7:] = 2
    return mask if bottom else mask[::-1].copy()


def answer(image: str = "photos/a.jpg", **changes: object):
    shown = (Concept(4, "sand", "object"), Concept(9, "beach-s", "scene"))
    pictures = tuple(ExemplarPicture(f"concepts/{n}.jpg", 3.5, jpeg(), 0.5, 0.5, shown[n:]) for n in range(3))
    values = {
        "masks": {"sand": corner(bottom=True), "sea": corner(bottom=False), "sky": smooth(0.5)},
        "classes": tuple(Score(name, n, 0.9 / (n + 1), 7.0 - n) for n, name in enumerate(("coast", "beach", "port"))),
        "true_class": Score("port", 2, 0.3, 5.0),
        "exemplars": dict.fromkeys((3, 8, 5, 2), pictures),
        "passed_over": (ranked(21, 0.05),),
    }
    return explanation(image, **(values | changes))


def pair() -> AnswerPair:
    first = answer()
    coast = Score("coast", 0, 0.05, 4.0)
    second = answer(target=coast)
    rather = Contrast(first.target, coast, first.top, first.bottom, Rules(), 1.25)
    return AnswerPair((first, second), (rather, replace(rather, rather=coast, than=first.target, loss=None)))


@pytest.fixture
def path(tmp_path: Path) -> Path:
    target = tmp_path / "page.html"
    write_page(target, [answer(), answer("photos/b.jpg")], title="Beaches", facts={"Network": "toy"}, **SECTIONS)
    return target


def words(page: Page, text: str) -> Locator:
    return page.locator("article").first.locator(".sentence .word", has_text=text)


def shown(page: Page) -> list[str]:
    """The names whose pixels are lit on the first photograph, by what a reader sees."""
    return page.evaluate(
        """() => {
            const article = document.querySelector("article");
            const regions = [...article.querySelectorAll(".region")];
            const seen = regions.filter(region => getComputedStyle(region).strokeOpacity === "1");
            return seen.map(r => article.querySelector(`button[data-concept="${r.dataset.concept}"]`).textContent);
        }"""
    )


def marked(page: Page) -> set[str]:
    """The words of the first article that are marked."""
    return set(
        page.evaluate(
            """() => [...document.querySelector("article").querySelectorAll(".word")]
                .filter(word => !/0\\)$|transparent/.test(getComputedStyle(word).backgroundColor))
                .map(word => word.textContent)"""
        )
    )


def point(page: Page, x: float, y: float) -> tuple[float, float]:
    """A place on the first photograph, in pixels of the window."""
    box = page.locator(".photograph").first.bounding_box()
    assert box is not None
    return box["x"] + x * box["width"], box["y"] + y * box["height"]


@pytest.mark.parametrize("scripts", [True, False])
def test_pointing_at_a_word_lights_its_pixels_and_the_photograph_its_words(path, open_page, scripts):
    page = open_page(path, scripts=scripts)
    page.locator("h1").hover()
    if scripts:
        assert (shown(page), marked(page)) == ([], set())
    words(page, "sand").hover()
    if scripts:  # without scripts a test cannot look; the picture below does
        assert (shown(page), marked(page)) == (["sand"], {"sand"})
        words(page, "sea").hover()
        assert (shown(page), marked(page)) == (["sea"], {"sea"})
        page.mouse.move(*point(page, 0.5, 0.8))
        assert (shown(page), marked(page)) == (["sand"], {"sand"})
        page.mouse.move(*point(page, 0.5, 0.2))
        assert shown(page) == ["sea"]
        page.locator("h1").hover()
        assert (shown(page), marked(page)) == ([], set())
    else:
        box = page.locator(".photograph").first.bounding_box()
        page.screenshot(path=path.with_suffix(".png"), clip=box)
        with Image.open(path.with_suffix(".png")) as picture:
            grey = np.asarray(picture.convert("L")).astype(int)
        half = len(grey) // 2
        assert grey[: half - 8].mean() < 0.5 * grey[half + 8 :].mean(), "the upper half is in the shade"


def test_pixels_of_two_names_light_both(tmp_path, open_page):
    path = tmp_path / "page.html"
    both = {"sand": corner(bottom=True), "sea": corner(bottom=True)}
    write_page(path, [answer(masks=both)], title="", facts={})
    page = open_page(path)
    page.mouse.move(*point(page, 0.5, 0.8))
    assert (shown(page), marked(page)) == (["sand", "sea"], {"sand", "sea"})


def test_the_keyboard_reaches_every_word_and_keeps_or_drops_it(path, open_page):
    page = open_page(path)
    words(page, "sand").focus()
    page.keyboard.press("Shift+Tab")
    page.keyboard.press("Tab")
    assert shown(page) == ["sand"]
    page.keyboard.press("Enter")
    assert words(page, "sand").get_attribute("aria-pressed") == "true"
    page.keyboard.press("Tab")
    assert "sea" in shown(page)
    page.keyboard.press("Escape")
    assert words(page, "sand").get_attribute("aria-pressed") == "false"


def test_a_tap_lights_and_another_one_puts_out(path, open_page):
    page = open_page(path, size=PHONE, touch=True)
    words(page, "sand").tap()
    assert shown(page) == ["sand"]
    words(page, "sand").tap()
    assert shown(page) == []
    page.touchscreen.tap(*point(page, 0.5, 0.2))
    assert shown(page) == ["sea"]


def test_on_a_phone_nothing_sticks_out_and_evidence_is_folded(path, open_page):
    page = open_page(path, size=PHONE, touch=True)
    width, height = page_size(page)
    assert width == PHONE[0]
    article = page.locator("article").first
    assert article.bounding_box()["height"] < 1500
    evidence = article.locator("details.evidence")
    assert evidence.get_attribute("open") is None
    evidence.locator("> summary").tap()
    assert page_size(page)[0] == PHONE[0]
    cut = "cells => cells.filter(cell => cell.scrollWidth > cell.clientWidth + 1).map(cell => cell.outerHTML)"
    assert evidence.locator("td").evaluate_all(cut) == []
    assert height < 9000


def test_on_a_desktop_all_evidence_is_open(path, open_page):
    page = open_page(path)
    assert page.locator("details:not([open])").count() == 0
    assert page_size(page)[0] == DESKTOP[0]


@pytest.mark.parametrize(("size", "dark"), [(DESKTOP, False), (PHONE, True)])
def test_everybody_can_read_it(tmp_path, path, open_page, size, dark):
    compared = tmp_path / "pair.html"
    write_page(compared, [pair()], title="Two", facts={})
    for target in (path, compared):
        page = open_page(target, size=size, dark=dark)
        page.evaluate("document.querySelectorAll('details').forEach(folded => { folded.open = true; })")
        assert violations(page) == []
        assert page_size(page)[0] == size[0]


def test_dark_is_dark_and_light_is_light(path, open_page):
    colours = [
        open_page(path, dark=dark).evaluate("getComputedStyle(document.documentElement).backgroundColor")
        for dark in (False, True)
    ]
    light, dark = (sum(map(int, colour[4:-1].split(","))) for colour in colours)
    assert light > 600
    assert dark < 150


def test_paper_has_all_of_it_unfolded(path, open_page):
    page = open_page(path, size=PHONE)
    assert page.locator("details[open]").count() == 0
    assert len(page.pdf()) > 20_000
    page.evaluate("dispatchEvent(new Event('beforeprint'))")
    assert page.locator("details:not([open])").count() == 0
    page.evaluate("dispatchEvent(new Event('afterprint'))")
    assert page.locator("details[open]").count() == 0


def test_two_classes_stand_side_by_side(tmp_path, open_page):
    path = tmp_path / "pair.html"
    write_page(path, [pair()], title="Two", facts={})
    page = open_page(path)
    left, right = (page.locator("article").nth(number).bounding_box() for number in (0, 1))
    assert left["y"] == right["y"]
    assert left["x"] + left["width"] <= right["x"]
    said = page.locator(".contrast .sentence").all_text_contents()
    assert "speak for beach rather than coast: without them, the score of beach less that of coast falls" in said[0]
    assert said[1] == "No neuron of which something may be said speaks for coast rather than beach."


@pytest.mark.parametrize(("theme", "is_dark"), [("false", True), ("true", False)])
def test_in_a_notebook_it_follows_the_notebooks_theme_and_touches_nothing_else(tmp_path, open_page, theme, is_dark):
    path = tmp_path / "notebook.html"
    rules = "td { background: red; font-size: 40px } .out tbody tr:nth-child(odd) { background: lime }"
    path.write_text(
        f'<!DOCTYPE html><html lang="en"><meta charset="utf-8"><title>n</title><style>{rules}</style>'
        f'<body data-jp-theme-light="{theme}"><h2 id="theirs">Theirs</h2><table><tr><td id="cell">1</td></tr></table>'
        f'<div class="out">{fragment(answer())}</div><div class="out">{fragment(answer("b.jpg"))}</div></body></html>'
    )
    bare = tmp_path / "bare.html"
    bare.write_text(path.read_text().partition('<div class="out">')[0])
    page, without = open_page(path, dark=not is_dark), open_page(bare, dark=not is_dark)
    style = "id => { const s = getComputedStyle(document.getElementById(id)); return [...s].map(k => s[k]).join() }"
    for theirs in ("theirs", "cell"):
        assert page.evaluate(style, theirs) == without.evaluate(style, theirs)
    paper = page.evaluate("getComputedStyle(document.querySelector('.embedded')).backgroundColor")
    assert (sum(map(int, paper[4:-1].split(","))) < 150) is is_dark
    cell = page.evaluate("getComputedStyle(document.querySelector('.embedded td')).backgroundColor")
    assert cell == "rgba(0, 0, 0, 0)"
    words(page, "sand").hover()
    assert shown(page) == ["sand"]


def test_charts_are_readable(tmp_path, open_page):
    rows = (
        {"method": "grad-cam", "error": Figure(40.0, 35.0, 46.0, 50), "images": 50},
        {"method": "<b>occlusion</b>", "error": Figure(-5.0, -10.0, 2.0, 50), "images": 50},
        {"method": "nothing", "error": Figure(float("nan"), float("nan"), float("nan"), 0), "images": 0},
    )
    report = Report("Errors", {"method": "method", "error": "error, %", "images": "images"}, rows, ("one note",))
    path = tmp_path / "charts.html"
    write_charts(path, [report], subtitle="toy")
    for size in (DESKTOP, PHONE):
        page = open_page(path, size=size)
        assert page.locator(".chart li").count() == 2
        bars = [page.locator(".chart rect").nth(number).bounding_box() for number in range(2)]
        assert bars[0]["width"] == pytest.approx(8 * bars[1]["width"], rel=0.05)
        assert bars[1]["x"] + bars[1]["width"] == pytest.approx(bars[0]["x"], abs=1)
        assert page_size(page)[0] == size[0]
        assert violations(page) == []
