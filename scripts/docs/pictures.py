"""Makes the docs' pictures of pages, the application, a notebook and a study, from what the commands write.

Usage: scripts/docs/pictures.py DEMO [NAME...]

DEMO is the folder that `neuronexplain demo` wrote; NAMEs are of pictures, by default all. They are written to
docs/pictures by a Chromium without a window. photograph_pictures.py makes those of photographs.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
from contextlib import contextmanager
from io import BytesIO
from os import chdir
from pathlib import Path
from typing import TYPE_CHECKING, Final

from PIL import Image
from playwright.sync_api import sync_playwright

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from playwright.sync_api import Browser, Locator, Page

DOCS: Final = Path(__file__).resolve().parents[2] / "docs"
PICTURES: Final = DOCS / "pictures"
COMMAND: Final = (sys.executable, "-m", "neuronexplain")
LARGEST: Final = 150_000
"""Bytes of a picture: a page of the docs holds several."""


def run(*words: str | Path) -> None:
    """Run a command of ours."""
    subprocess.run([*COMMAND, *map(str, words)], check=True, stdout=subprocess.DEVNULL)  # noqa: S603 -- ours


@contextmanager
def served(*words: str | Path) -> Iterator[str]:
    """The address that a command of ours serves, which is stopped afterwards."""
    with subprocess.Popen([*COMMAND, *map(str, words), "--port", "0"], stdout=subprocess.PIPE, text=True) as process:  # noqa: S603 -- ours
        assert process.stdout is not None
        try:
            yield next(word for line in process.stdout for word in line.split() if word.startswith("http://")).rstrip(
                ".,;"
            )
        finally:
            process.terminate()


@contextmanager
def opened(browser: Browser, address: str, size: tuple[int, int], *, dark: bool = False) -> Iterator[Page]:
    """A page of a size in pixels."""
    width, height = size
    page = browser.new_page(
        viewport={"width": width, "height": height}, color_scheme="dark" if dark else "light", device_scale_factor=1
    )
    page.goto(address)
    page.wait_for_load_state("networkidle")
    yield page
    page.close()


def shot(page: Page | Locator) -> Image.Image:
    """What is seen of a page, or all of an element."""
    return Image.open(BytesIO(page.screenshot())).convert("RGB")


def keep(picture: Image.Image, name: str) -> None:
    """Write a picture as a JPEG of the best quality that is small enough."""
    for quality in (88, 80, 70, 60):
        content = BytesIO()
        picture.save(content, "JPEG", quality=quality, optimize=True, progressive=True)
        if content.tell() <= LARGEST:
            break
    (PICTURES / f"{name}.jpg").write_bytes(content.getvalue())
    print(f"{name}.jpg: {picture.width} x {picture.height}, {content.tell() // 1000} kB")


def point_at(page: Page, word: str = "") -> None:
    """Put the pointer on a word of a sentence, or on the first that has pixels, which then are lit."""
    page.locator(".sentence button.word", has_text=word or None).first.hover()
    page.wait_for_selector("article.alight")


def page(browser: Browser, demo: Path, _: Path) -> None:
    """The demo's page."""
    with opened(browser, (demo / "index.html").absolute().as_uri(), (1280, 1600)) as shown:
        point_at(shown)
        keep(shot(shown).resize((1000, 1250), Image.Resampling.LANCZOS), "page")


def page_on_a_phone(browser: Browser, demo: Path, _: Path) -> None:
    """An explanation of the demo's page on a phone."""
    with opened(browser, (demo / "index.html").absolute().as_uri(), (375, 1300)) as shown:
        shown.locator("article").first.evaluate("article => article.scrollIntoView()")
        keep(shot(shown), "page-on-a-phone")


def sentence(browser: Browser, demo: Path, _: Path) -> None:
    """One explanation: photograph, heat map, sentence with a word pointed at, and the neurons that it rests on."""
    with opened(browser, (demo / "index.html").absolute().as_uri(), (1000, 550)) as shown:
        shown.add_style_tag(content=_ONE_ARTICLE)
        article = shown.locator("article", has=shown.locator("h2", has_text="farm"))
        article.evaluate("one => document.body.replaceChildren(one)")
        point_at(shown, "barn")
        keep(shot(shown), "sentence")


_ONE_ARTICLE: Final = """
    body { padding: 16px 24px !important; }
    article { padding: 0 !important; border: 0 !important; }
    .others, .notes, details.evidence > summary, .quietly { display: none !important; }
"""
"""What leaves room for the neurons in a picture of one explanation."""


def caption(browser: Browser, demo: Path, folder: Path) -> None:
    """A caption's page, on whose first explained word the pointer is."""
    photograph = demo / "photographs" / "described.png"
    run("explain", photograph, "--db", demo / "described.db", "--words", "--out", folder / "caption")
    with opened(browser, (folder / "caption" / "index.html").as_uri(), (840, 787)) as shown:
        shown.locator("section.pair").first.evaluate("section => section.scrollIntoView()")
        shown.locator("section.pair .scores button.word").first.hover()
        keep(shot(shown), "caption")


def app(browser: Browser, demo: Path, _: Path) -> None:
    """The application: its form, on a phone in the dark too, and an answer about two classes."""
    photograph = demo / "photographs" / "beach.png"
    with served("serve", "--db", demo / "scenes.db") as address:
        for name, size, dark in (("app-form", (1280, 800), False), ("app-phone", (375, 812), True)):
            with opened(browser, address, size, dark=dark) as shown:
                _fill(shown, photograph)
                keep(shot(shown), name)
        with opened(browser, address, (1280, 1200)) as shown:
            _fill(shown, photograph)
            shown.click("form.ask button")
            shown.wait_for_selector("article")
            keep(shot(shown), "app-answer")


def _fill(shown: Page, photograph: Path) -> None:
    shown.set_input_files("#photograph", photograph)
    shown.locator(".preview").wait_for()
    shown.fill("#target-1", "beach")
    shown.fill("#target-2", "harbour")


def study(browser: Browser, demo: Path, folder: Path) -> None:
    """A question of a study on a desktop, and on a phone."""
    made = folder / "study"
    run(
        "study",
        "make",
        "discrimination",
        "--db",
        demo / "scenes.db",
        "--kind",
        "scenes",
        "--images",
        "6",
        "--out",
        made,
    )
    with served("study", "serve", made) as address:
        pictures = [
            _question(browser, address, size, kind) for size, kind in (((880, 580), "img"), ((375, 580), "blockquote"))
        ]
    keep(side_by_side(pictures), "study")


def _question(browser: Browser, address: str, size: tuple[int, int], kind: str) -> Image.Image:
    """The first question that shows a picture, or words, of those that rater after rater is asked first."""
    while True:
        with opened(browser, address, size) as shown:
            shown.get_by_role("button", name="I have read this and take part").click()
            shown.wait_for_selector(".answers")
            if shown.locator(f".stimuli {kind}").count():
                return shot(shown)


def side_by_side(pictures: list[Image.Image]) -> Image.Image:
    """Pictures of one height, with a gap between them."""
    gap = 16
    sheet = Image.new("RGB", (sum(one.width + gap for one in pictures) - gap, pictures[0].height), "#888")
    left = 0
    for picture in pictures:
        sheet.paste(picture, (left, 0))
        left += picture.width + gap
    return sheet


def mistake(browser: Browser, _: Path, folder: Path) -> None:
    """A mistake of the tutorial's network, on the page of its audit."""
    bias, names = folder / "bias", folder / "biased.db"
    run("evaluate", "bias", "--out", bias)
    (folder / "animals.txt").write_text("cow\ndog\n")
    network = ("--network", "scenes", "--weights", bias / "biased.safetensors", "--classes", folder / "animals.txt")
    images = ("--concepts", bias / "named", "--class-images", bias / "photographs")
    run("build", *network, *images, "--quantile", "0.01", "--db", names)
    run("audit", "mistakes", bias / "photographs", "--db", names, "--out", folder / "mistakes")
    with opened(browser, (folder / "mistakes" / "index.html").as_uri(), (1000, 700)) as shown:
        shown.locator("article").first.evaluate("article => article.scrollIntoView()")
        keep(shot(shown), "mistake")


def notebook(browser: Browser, _: Path, folder: Path) -> None:
    """The notebook of the docs after it has run."""
    from nbclient import NotebookClient  # noqa: PLC0415 -- only this picture needs it
    from nbconvert import HTMLExporter  # noqa: PLC0415
    from nbformat import read  # noqa: PLC0415

    content = read(DOCS / "how-to" / "notebook.ipynb", as_version=4)
    NotebookClient(content, timeout=600, resources={"metadata": {"path": str(folder)}}).execute()
    (folder / "notebook.html").write_text(HTMLExporter().from_notebook_node(content)[0], "utf-8")
    with opened(browser, (folder / "notebook.html").as_uri(), (1024, 1092)) as shown:
        shown.locator("#Name-the-neurons").evaluate("heading => heading.scrollIntoView()")
        keep(shot(shown), "notebook")


MAKERS: Final[Mapping[str, Callable[[Browser, Path, Path], None]]] = {
    "page": page,
    "page-on-a-phone": page_on_a_phone,
    "sentence": sentence,
    "caption": caption,
    "app": app,
    "study": study,
    "mistake": mistake,
    "notebook": notebook,
}


def main() -> None:
    """Make the pictures that are named, or all."""
    demo, *names = sys.argv[1:]
    with sync_playwright() as playwright, tempfile.TemporaryDirectory() as folder:
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=["--no-sandbox"])
        chdir(Path(demo).absolute().parent)  # pages show paths as they are typed
        for name in names or MAKERS:
            MAKERS[name](browser, Path(Path(demo).name), Path(folder))


if __name__ == "__main__":
    main()
