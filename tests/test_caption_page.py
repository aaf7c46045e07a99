"""A caption's page in a real browser: a word lights the evidence for it, pointed at, tabbed to or tapped."""

from __future__ import annotations

from dataclasses import replace

import pytest
from browser import DESKTOP, PHONE, violations
from talkers import captioner
from worlds import colour_concepts, colour_square

from db import NameStore
from neuronexplain import build, explain_caption
from neuronexplain.report.page import write_page

EVIDENCE = "() => [...document.querySelectorAll('.of-word')].map(image => Number(getComputedStyle(image).opacity))"


@pytest.fixture(scope="module")
def path(tmp_path_factory):
    place = tmp_path_factory.mktemp("caption")
    with NameStore.create(place / "names.db") as store:
        build(captioner(), colour_concepts(), store, draws=20)
        caption = explain_caption(colour_square("red"), captioner(), store, words=["red", "square"])
    captions = [replace(caption, image=f"{number}.jpg") for number in range(4)]  # other photographs, the same words
    write_page(place / "page.html", captions, title="Squares", facts={"Network": "toy"})
    return place / "page.html"


@pytest.mark.parametrize("scripts", [True, False])
def test_a_word_lights_the_evidence_for_it(open_page, path, scripts):
    page = open_page(path, scripts=scripts)
    words = page.locator(".scores").first.locator(".word")
    assert words.all_text_contents() == ["red", "square"]
    assert page.evaluate(EVIDENCE)[:2] == [0, 0]
    words.nth(0).hover()
    assert page.evaluate(EVIDENCE)[:4] == [1, 0, 0, 0]
    page.mouse.move(0, 0)
    words.nth(1).focus()
    page.keyboard.press("Shift")
    assert page.evaluate(EVIDENCE)[1] == 1


def test_a_tap_lights_it_too(open_page, path):
    page = open_page(path, size=PHONE, touch=True)
    page.locator(".scores").first.locator(".word").nth(1).tap()
    assert page.evaluate(EVIDENCE)[:4] == [0, 1, 0, 0]


@pytest.mark.parametrize(("size", "dark"), [(DESKTOP, False), (PHONE, True)])
def test_everybody_can_read_it(open_page, path, size, dark):
    page = open_page(path, size=size, dark=dark)
    assert violations(page) == []
    assert page.evaluate("document.documentElement.scrollWidth") == size[0]
