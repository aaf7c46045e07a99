"""The application in a real browser: upload, hover, keyboard, a phone, dark, and nothing on the console."""

import base64

import pytest
from browser import PHONE, page_size, violations
from served import served
from two_runs import two_runs
from worlds import colour_square

from db import NameStore
from neuronexplain.web.app import names_app


@pytest.fixture(scope="module")
def address(made_once):
    """A running server over two runs of the network of squares."""
    with NameStore.open(two_runs(made_once)) as store, served(names_app(store)) as address:
        yield address


@pytest.fixture
def photograph(tmp_path):
    colour_square("red").resize((256, 256)).save(tmp_path / "red.png")
    return tmp_path / "red.png"


def test_a_photograph_is_chosen_and_its_words_light_pixels(open_page, address, photograph):
    page = open_page(address + "/?run=1")
    page.set_input_files("#photograph", photograph)
    page.locator(".preview").wait_for()
    page.fill("#target-1", "fire")
    page.click("form.ask button")
    page.wait_for_selector("article")
    word = page.locator("article button[data-concept]").first
    word.hover()
    page.wait_for_selector("article.alight")
    page.mouse.move(0, 0)
    page.wait_for_selector("article:not(.alight)")
    word.focus()
    page.wait_for_selector("article.alight")
    with page.expect_download() as download:
        page.click("text=Download the page")
    assert download.value.suggested_filename == "red-explained.html"


def test_bars_are_as_long_as_they_say(open_page, address, photograph):
    """Their lengths come from a style sheet that the policy allows by its hash."""
    page = open_page(address + "/?run=1")
    page.set_input_files("#photograph", photograph)
    page.click("form.ask button")
    page.wait_for_selector("article")
    bar = page.locator(".scores .track span").first
    assert (
        bar.evaluate("bar => bar.getBoundingClientRect().width / bar.parentElement.getBoundingClientRect().width") > 0.2
    )
    page = open_page(address + "/runs/1/classes/0")
    widths = page.locator("td.bar rect").evaluate_all("all => all.map(one => one.getBoundingClientRect().width)")
    assert max(widths) > 20


def test_a_photograph_is_dropped_and_pasted(open_page, address, photograph):
    carrier = """
        (data, kind) => {
          const bytes = Uint8Array.from(atob(data), (one) => one.charCodeAt(0));
          const carrier = new DataTransfer();
          carrier.items.add(new File([bytes], "carried.png", { type: "image/png" }));
          const init = { bubbles: true, cancelable: true };
          const drop = new DragEvent("drop", { ...init, dataTransfer: carrier });
          const paste = new ClipboardEvent("paste", { ...init, clipboardData: carrier });
          if (kind === "drop") document.querySelector(".drop").dispatchEvent(drop);
          else document.dispatchEvent(paste);
        }"""
    data = base64.b64encode(photograph.read_bytes()).decode()
    for kind in ("drop", "paste"):
        page = open_page(address)
        page.evaluate(f"([data, kind]) => ({carrier})(data, kind)", [data, kind])
        page.locator(".preview").wait_for()
        page.click("form.ask button")
        page.wait_for_selector("article")
        assert "carried.png" in page.inner_text("article")


def test_a_bad_photograph_is_a_sentence_beside_the_form(open_page, address, tmp_path):
    (tmp_path / "notes.txt").write_text("no photograph")
    page = open_page(address, expected=("422", "400"))
    page.set_input_files("#photograph", tmp_path / "notes.txt")
    page.click("form.ask button")
    page.wait_for_selector(".problem:not([hidden])")
    assert "notes.txt: this is not an image" in page.inner_text(".problem")
    assert page.is_enabled("form.ask button")


def test_it_works_from_the_keyboard(open_page, address, photograph):
    page = open_page(address + "/?run=1")
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.textContent") == "Skip to the contents"
    reached = set()
    for _ in range(25):
        page.keyboard.press("Tab")
        reached.add(page.evaluate("document.activeElement.id || document.activeElement.textContent.trim()"))
    assert {"Classes", "Runs", "photograph", "target-1", "target-2", "run", "Explain"} <= reached
    page.set_input_files("#photograph", photograph)
    page.focus("form.ask button")
    page.keyboard.press("Enter")
    page.wait_for_selector("article")


def test_without_scripts_a_photograph_is_explained(open_page, address, photograph):
    page = open_page(address + "/?run=1", scripts=False)
    page.set_input_files("#photograph", photograph)
    page.click("form.ask button")
    page.wait_for_selector("article", timeout=60_000)


SCREENS = ["/", "/runs", "/runs/1", "/compare?a=1&b=2", "/runs/1/classes", "/runs/1/classes/0", "/runs/1/concepts"]
SCREENS += ["/runs/1/concept?name=red", "/runs/1/neurons", "/runs/1/neurons/0", "/search?q=fire"]


@pytest.mark.parametrize("screen", SCREENS)
def test_screens_fit_a_phone_and_can_be_read_by_everyone(open_page, address, screen):
    page = open_page(address + screen, size=PHONE, touch=True)
    assert page_size(page)[0] <= PHONE[0]
    for scheme in ("light", "dark"):
        page.emulate_media(color_scheme=scheme)
        assert violations(page) == [], scheme
