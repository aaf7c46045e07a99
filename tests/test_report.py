"""The page: self-contained, well-formed, readable without colour, and safe from hostile names and paths."""

import base64
import re
from collections.abc import Sequence
from dataclasses import replace
from html.parser import HTMLParser
from importlib.resources import files
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image, ImageDraw

from dissection.errors import OutputError
from dissection.vocabulary import Composition, Concept, Evidence, Formula, FormulaAreas, Truth, UnitName
from neuronexplain.answer import ExemplarPicture, MethodMap
from neuronexplain.explanation import Explanation
from neuronexplain.methods import METHODS
from neuronexplain.report.numbers import Scale, percentage
from neuronexplain.report.page import write_page
from neuronexplain.report.sections import ClassSection, ConceptRow, NeuronCard
from neuronexplain.vocabulary import RankedUnit, Rules, Score

HOSTILE = """<script>alert("1")</script> & 'x' onerror="y" {{ 7 * 7 }}"""
PLAIN = {
    "\N{MINUS SIGN}": "-",
    "\N{EN DASH}": "-",
    "\N{GREEK SMALL LETTER ALPHA}": "alpha",
    "\N{MULTIPLICATION SIGN}": "x",
}
VOID = {"meta", "img", "link", "br", "hr", "input"}


@pytest.fixture(autouse=True)
def _sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    def say(explanation: Explanation, **_: object) -> str:
        return f"Said of {explanation.image}: <sand>."

    monkeypatch.setattr("neuronexplain.answer.say", say)
    monkeypatch.setattr("neuronexplain.report.marks.say", say)


def photograph(size: tuple[int, int] = (60, 40)) -> Image.Image:
    picture = Image.new("RGB", size, (90, 140, 210))
    ImageDraw.Draw(picture).rectangle((0, size[1] // 2, *size), fill=(230, 200, 120))
    return picture


def smooth(peak: float) -> np.ndarray:
    y, x = np.mgrid[-1:1:13j, -1:1:13j]
    return (peak * np.exp(-4 * (x**2 + y**2))).astype(np.float32)


EVIDENCE = Evidence(0.005, 0.02, 0.97, (0.28, 0.35), (0.1, 0.15), (), (), (0.5,))


SAND = Concept(4, "sand", "material")


def ranked(unit: int, alpha: float, name: str | None = None, *, lit: bool = True) -> RankedUnit:
    named = UnitName(unit, Concept(unit + 1, name, "object"), 0.31, 20) if name else None
    if not named:
        return RankedUnit(unit, alpha, 2 * alpha, 3 * alpha, None, lit, 1.0)
    truth, clause = (0.84, "responds") if lit else (None, "absent")
    return RankedUnit(
        unit, alpha, 2 * alpha, 3 * alpha, None, lit, 1.0, named, truth, Truth(45, 38, 555, 3), EVIDENCE, clause
    )


def explanation(image: str = "photos/a.jpg", **changes: Any) -> Explanation:
    beach = Score("beach", 1, 0.912, 7.0)
    top = (ranked(3, 0.04, "sand"), ranked(8, 0.02), ranked(5, 0.01, "sea"), ranked(6, 0.005, "sand"), ranked(7, 0.001))
    bottom = (ranked(2, -0.03, "sky", lit=False), *(ranked(unit, -0.001 * (20 - unit)) for unit in range(10, 14)))
    values: dict[str, Any] = {
        "image": image,
        "prediction": beach,
        "target": beach,
        "top": top,
        "bottom": bottom,
        "rules": Rules(among="all"),
        "passed_over": (),
        "has_evidence": True,
        "loss": 1.5,
        "constant_alpha": False,
        "photograph": photograph(),
        "heatmap": smooth(3),
        "masks": {"sand": smooth(2), "sea": smooth(1.5), "sky": smooth(0.5)},
    }
    return Explanation(**(values | changes))


def jpeg() -> bytes:
    stream = BytesIO()
    photograph((9, 9)).save(stream, "JPEG")
    return stream.getvalue()


class Page(HTMLParser):
    """The contents of a page; fails if its nesting is not well-formed."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.html = path.read_text(encoding="utf-8")
        self.open: list[str] = []
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.texts: list[tuple[str, str]] = []
        self.feed(self.html)
        self.close()
        assert not self.open, f"never closed: {self.open}"

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        assert len(dict(attrs)) == len(attrs), f"<{tag}> has an attribute twice"
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open, f"</{tag}> closes nothing"
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self.open and data.strip():
            self.texts.append((self.open[-1], data.strip()))

    @property
    def text(self) -> str:
        words = " ".join(data for tag, data in self.texts if tag not in {"style", "script"})
        return re.sub(r"\s+", " ", words).translate(str.maketrans(PLAIN))

    def all(self, tag: str, **wanted: str) -> list[dict[str, str | None]]:
        return [attrs for name, attrs in self.tags if name == tag and wanted.items() <= attrs.items()]

    def classed(self, name: str) -> list[dict[str, str | None]]:
        return [attrs for _, attrs in self.tags if name in (attrs.get("class") or "").split()]


def page(folder: Path, explanations: Sequence[Explanation], **more: Any) -> Page:
    path = folder / "page.html"
    write_page(path, explanations, **({"title": "Beaches", "facts": {"Network": "toy"}} | more))
    return Page(path)


SECTIONS: dict[str, Any] = {
    "classes": (
        ClassSection(
            "beach", 3, (ConceptRow("sand", "material", 2, 0.4, (0.2, 0.6)), ConceptRow("sky", "object", 1, -0.1, None))
        ),
        ClassSection("forest", 40, ()),
        ClassSection("desert", 0, ()),
    ),
    "neurons": (
        NeuronCard(
            UnitName(3, SAND, 0.31, 12),
            (
                ExemplarPicture("0012.jpg", 4.25, jpeg(), 0.5, 0.5, (SAND, Concept(8, "beach-s", "scene"))),
                ExemplarPicture("0013.jpg", 3.5, jpeg(), 0.5, 0.5),
            ),
        ),
        NeuronCard(UnitName(5, Concept(5, "sea", "object"), 0.2, 12), ()),
    ),
}


def decoded(uri: str | None) -> Image.Image:
    assert uri is not None
    head, _, body = uri.partition(",")
    assert head == "data:image/jpeg;base64"
    picture = Image.open(BytesIO(base64.b64decode(body, validate=True)))
    picture.load()
    return picture


def test_every_picture_is_inside_the_page_decodes_and_has_an_alternative_text(tmp_path: Path) -> None:
    made = page(tmp_path, [explanation(f"{n}.jpg") for n in range(4)], **SECTIONS)
    pictures = made.all("img")
    assert len(pictures) == 4 * (1 + 2 + 2) + 2  # thumbnail; photograph and heat map; sand, sea; exemplars
    for attributes in pictures:
        decoded(attributes["src"])
        assert "alt" in attributes
    assert sum(attributes["alt"] == "" for attributes in pictures) == 4  # thumbnails stand beside their own words


def test_other_explanations_are_shown_and_say_what_they_show(tmp_path: Path) -> None:
    label = Score("sand & <sea> {x}", 1, 0.9, 7.0)
    found = tuple(
        MethodMap(method, np.random.default_rng(0).random((3 if method.kind == "pixels" else 1, 6, 6), np.float32))
        for method in METHODS.values()
    )
    silent = MethodMap(METHODS["counterfactual"], np.zeros((1, 6, 6), np.float32))
    made = page(tmp_path, [explanation(target=label, others=(*found, silent))])
    for method in METHODS.values():
        (picture, *_) = made.all("img", alt=f"{method.title}: {method.says.format(target=label.label)}")
        assert decoded(picture["src"]).size == (60, 40)
        assert method.title in made.text
        assert method.reference in made.text
    assert "what speaks against sand & <sea> {x}: without it, the network would be surer" in made.text
    assert "Counterfactual nothing Eq. 12" in made.text
    assert len(made.classed("signed")) == sum(method.kind == "signed" for method in METHODS.values()) + 1
    assert not page(tmp_path, [explanation()]).classed("others")


def test_the_page_refers_to_nothing_outside_itself(tmp_path: Path) -> None:
    made = page(tmp_path, [explanation(f"{n}.jpg") for n in range(4)], **SECTIONS)
    anchors = {attributes["id"] for _, attributes in made.tags if "id" in attributes}
    for _, attributes in made.tags:
        assert "srcset" not in attributes
        assert (attributes.get("src") or "data:").startswith("data:")
        assert (attributes.get("href") or "#main")[0] == "#"
        assert (attributes.get("href") or "#main")[1:] in anchors
    assert not made.all("link")
    style = " ".join(data for tag, data in made.texts if tag == "style")
    assert "--heat: linear-gradient(90deg, #000004" in style
    assert "url(" not in style
    (script,) = (data for tag, data in made.texts if tag == "script")
    assert not re.search(r"fetch|XMLHttp|import|https?:|innerHTML|eval", script)
    assert "@import" not in style


def test_each_sentence_is_there_and_escaped(tmp_path: Path) -> None:
    made = page(tmp_path, [explanation("one.jpg"), explanation("two.jpg")])
    said = [data for tag, data in made.texts if data.startswith("Said of")]
    assert said == ["Said of one.jpg: <sand>.", "Said of two.jpg: <sand>."]
    assert "<sand>" not in made.html


def test_hostile_names_and_paths_stay_text(tmp_path: Path) -> None:
    label, concept = Score(HOSTILE, 0, 0.5, 0.0), Concept(2, HOSTILE, HOSTILE)
    hostile = explanation(
        HOSTILE, prediction=label, target=label, top=(ranked(1, 0.1, HOSTILE),), masks={HOSTILE: smooth(2)}
    )
    made = page(
        tmp_path,
        [hostile] * 4,
        title=HOSTILE,
        facts={HOSTILE: HOSTILE},
        classes=[ClassSection(HOSTILE, 1, (ConceptRow(HOSTILE, HOSTILE, 1, 0.1, (0.0, 0.2)),))],
        neurons=[
            NeuronCard(UnitName(1, concept, 0.1, 9), (ExemplarPicture(HOSTILE, 1.0, jpeg(), 0.5, 0.5, (concept,)),))
        ],
    )
    assert len(made.all("script")) == 1
    assert not any(name.startswith("on") for _, attributes in made.tags for name in attributes)
    assert made.text.count(HOSTILE) > 20
    assert made.all("img", alt=f"Photograph {HOSTILE}")
    assert made.all("img", alt=f"{HOSTILE} in {HOSTILE}, where neuron 1 responds with 1")
    assert made.all("img", alt=f"Where the neurons named {HOSTILE} light up in the photograph")


def test_a_path_that_is_no_text_does_not_stop_the_page(tmp_path: Path) -> None:
    assert "caf%E9.jpg" in page(tmp_path, [explanation("caf\udce9.jpg")]).text


def test_large_photographs_are_made_small(tmp_path: Path) -> None:
    made = page(tmp_path, [explanation(photograph=photograph((3000, 1500)))])
    assert {decoded(attributes["src"]).size for attributes in made.all("img")} == {(448, 224), (288, 144)}


def test_small_photographs_are_not_made_large(tmp_path: Path) -> None:
    made = page(tmp_path, [explanation()])
    assert {decoded(attributes["src"]).size for attributes in made.all("img")} == {(60, 40)}


def test_each_unit_has_a_row_with_its_numbers(tmp_path: Path) -> None:
    text = page(tmp_path, [explanation()]).text
    assert "sand object 3 +40.0 +0.120 +80.0 0.31 0.28-0.35 0.02 97% 84% 38 of 45 lit said to respond" in text
    assert "no name 8 +20.0 +0.060 +40.0 - - - - lit not spoken of: it has no name" in text
    assert "sky object 2 -30.0 -0.090 -60.0 0.31 0.28-0.35 0.02 97% - 38 of 45 silent said not to be there" in text
    assert "alpha x10⁻³" in text


def test_a_checked_formula_stands_in_for_the_name_with_its_iou_on_held_out_images(tmp_path: Path) -> None:
    first, *others = explanation().top
    made = composed_of(Concept(4, "sand", "object"), Concept(5, HOSTILE, "object"))
    spoken = f"sand but not {HOSTILE}"
    masks = {spoken: smooth(2), "sea": smooth(2), "sky": smooth(0.5)}
    shown = page(tmp_path, [explanation(top=(replace(first, composition=made), *others), masks=masks)])
    assert f"{spoken} object 3 formula ; its name is sand, IoU 0.31 +40.0" in shown.text
    assert "0.25 held out 0.02 -" in shown.text
    assert shown.text.count("its name is") == 1
    assert "A formula of several concepts stands in for a name" in shown.text
    assert shown.all("button", **{"class": "word"})
    assert "held out" not in page(tmp_path, [explanation()]).text


def composed_of(first: Concept, second: Concept) -> Composition:
    areas = FormulaAreas(6, 10, 12), FormulaAreas(4, 10, 10)
    return Composition(Formula(first, (("and not", second),)), *areas, (0.01, 0.07), 0.001, 0.02, Truth(20, 12, 80, 3))


@pytest.mark.parametrize(
    ("rank_by", "longest"), [("alpha", "0.5000"), ("effect", "0.2500"), ("contribution", "1.0000")]
)
def test_bars_are_as_long_as_what_the_units_are_ranked_by(tmp_path: Path, rank_by: str, longest: str) -> None:
    top = (RankedUnit(0, 0.1, 8.0, 1.0, None, True, 1.0),)
    bottom = (RankedUnit(1, -0.2, -2.0, -4.0, None, True, 1.0),)
    made = page(tmp_path, [explanation(rules=Rules(rank_by=rank_by), top=top, bottom=bottom, masks={})])
    assert made.all("span", **{"class": "for", "style": f"--share: {longest}"})


def test_a_concept_of_both_sides_has_one_map_that_names_its_neurons(tmp_path: Path) -> None:
    made = page(tmp_path, [explanation(bottom=(ranked(9, -0.1, "sand"),), masks={"sand": smooth(2)})])
    assert "sand for #3, #6 against #9" in made.text
    assert len(made.all("img")) == 3


def test_a_silent_concept_is_said_to_be_silent(tmp_path: Path) -> None:
    made = page(tmp_path, [explanation()])
    assert not made.all("img", alt="Where the neurons named sky light up in the photograph")
    assert "Silent here: sky ( against #2 )" in made.text


def test_a_concept_that_is_lit_between_pixels_is_not_said_to_be_silent(tmp_path: Path) -> None:
    """A cell exceeds the threshold by so little that no pixel of the enlarged map does."""
    made = page(tmp_path, [explanation(masks={"sand": smooth(0.99), "sea": smooth(2), "sky": smooth(0.5)})])
    assert "Responding too weakly to be drawn: sand ( for #3, #6 )" in made.text
    assert "Silent here: sky ( against #2 )" in made.text
    assert not made.all("img", alt="Where the neurons named sand light up in the photograph")


def test_the_target_is_shown_beside_the_prediction_only_where_it_differs(tmp_path: Path) -> None:
    assert ("span", "explained") not in page(tmp_path, [explanation()]).texts
    other = page(tmp_path, [explanation(target=Score("coast", 4, 0.0625, 1.0))])
    assert "beach predicted 91.2% coast explained 6.2%" in other.text


def test_what_the_answer_depends_on_is_said(tmp_path: Path) -> None:
    rules = Rules(among="named", rank_by="contribution")
    text = page(tmp_path, [explanation(passed_over=(ranked(21, 0.05),), rules=rules)]).text
    assert "Ranked by contribution among the named neurons; a neuron has a name if its IoU is at least 0.05, a" in text
    assert "a proven one if q is at most 0.05, and is said to respond if its truth is at least 50%." in text
    assert "As strong, but passed over no name 21" in text
    assert "said to respond the score of beach falls: 7 becomes 5.5." in text
    assert "does not fall: 7 becomes 8." in page(tmp_path, [explanation(loss=-1.0)]).text
    assert "score of beach" not in page(tmp_path, [explanation(loss=None)]).text
    assert "No evidence is kept" not in text
    assert (
        "No evidence is kept for these names : build again." in page(tmp_path, [explanation(has_evidence=False)]).text
    )
    assert "same alpha" not in text
    constant = page(tmp_path, [explanation(constant_alpha=True)]).text
    assert "every neuron has the same alpha for beach in every photograph , so they rank the same whatever" in constant


def test_an_empty_heat_map_is_said_to_be_empty(tmp_path: Path) -> None:
    made = page(tmp_path, [explanation(heatmap=np.zeros_like(smooth(3)))])
    assert "No part of the photograph speaks for beach" in made.text


@pytest.mark.parametrize(("number", "listed"), [(1, 0), (3, 0), (4, 4), (12, 12)])
def test_many_explanations_have_a_list_of_contents(tmp_path: Path, number: int, listed: int) -> None:
    made = page(tmp_path, [explanation(f"{n}.jpg") for n in range(number)])
    links = [attributes["href"] for attributes in made.all("a") if attributes["href"] != "#main"]
    assert links == [f"#explanation-{n + 1}" for n in range(listed)]
    assert len(made.all("article")) == number


def test_classes_say_how_thin_their_evidence_is(tmp_path: Path) -> None:
    text = page(tmp_path, [], **SECTIONS).text
    assert "beach mean over 3 images thin evidence" in text
    assert "sand material +0.400 +0.200 to +0.600 2 sky object -0.100 unknown 1" in text
    assert "forest mean over 40 images No named neuron matters for this class." in text
    assert "desert no image of this class was seen" in text


def test_a_neuron_is_shown_with_its_exemplars(tmp_path: Path) -> None:
    made = page(tmp_path, [], **SECTIONS)
    assert "sand material · neuron 3 · IoU 0.31 1 of 2 is labelled sand there" in made.text
    says = ["sand, beach in 0012.jpg, where neuron 3 responds with 4.25", "0013.jpg, where neuron 3 responds with 3.5"]
    assert [(a["alt"], a["title"]) for a in made.all("img")] == [(one, one) for one in says]


def test_nothing_is_said_of_exemplars_that_show_nothing(tmp_path: Path) -> None:
    silent = tuple(ExemplarPicture(f"{n}.jpg", 3.5, jpeg(), 0.5, 0.5) for n in range(3))
    shown = (*silent[:2], replace(silent[2], concepts=(Concept(4, "sand", "object"),)))
    made = page(tmp_path, [explanation(exemplars={3: shown, 5: silent, 6: shown, 8: shown})])
    assert [made.text.count(f"{said} of 3") for said in "0123"] == [1, 1, 0, 0]
    assert "1 of 3 is labelled sand there" in made.text  # neuron 3
    assert "0 of 3 are labelled sand there" in made.text  # neuron 6, whose sand is another concept of that name
    assert made.text.count("labelled") == 2


def test_no_units_no_facts_no_sections(tmp_path: Path) -> None:
    made = page(tmp_path, [explanation(top=(), bottom=(), masks={})], facts={})
    assert made.text.count("No neuron.") == 2
    assert not made.classed("facts")
    assert not made.classed("maps")


def test_language_headings_and_table_heads_are_there_for_a_screen_reader(tmp_path: Path) -> None:
    made = page(tmp_path, [explanation()], **SECTIONS)
    assert made.html.startswith("<!DOCTYPE html>")
    assert made.all("html", lang="en")
    assert made.all("meta", charset="utf-8")
    assert len(made.all("h1")) == len(made.all("main")) == 1
    assert len(made.all("table")) == len(made.all("caption")) == 2
    assert len(made.all("th", scope="row")) == 10 + 2
    ids = [attributes["id"] for _, attributes in made.tags if "id" in attributes]
    assert len(ids) == len(set(ids))


def luminance(colour: str) -> float:
    """Relative luminance of WCAG 2."""
    channels = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def test_text_has_aa_contrast_in_light_and_dark_and_print() -> None:
    style = (files("neuronexplain.report") / "templates" / "common.css").read_text()
    palettes = [
        *(
            dict(re.findall(rf"--(\w+): light-dark\({colours}\)", style))
            for colours in (r"(#\w{6}), #\w{6}", r"#\w{6}, (#\w{6})")
        ),
        dict(re.findall(r"--(\w+): (#\w{6});", style)),
    ]  # light, dark, print
    for palette in palettes:
        paper = luminance(palette["paper"])
        for ink in ("ink", "quiet", "for", "against"):
            lighter, darker = sorted((luminance(palette[ink]), paper), reverse=True)
            assert (lighter + 0.05) / (darker + 0.05) >= 4.5, ink


def test_a_page_that_cannot_be_written_leaves_nothing_behind(tmp_path: Path) -> None:
    (tmp_path / "page.html").mkdir()
    with pytest.raises(OutputError, match="cannot write"):
        write_page(tmp_path / "page.html", [explanation()], title="", facts={})
    assert [entry.name for entry in tmp_path.iterdir()] == ["page.html"]
    assert not list((tmp_path / "page.html").iterdir())


def test_a_sentence_that_fails_keeps_the_page_that_was_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "page.html"
    path.write_text("before")
    monkeypatch.setattr("neuronexplain.answer.say", lambda _: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        write_page(path, [explanation()], title="", facts={})
    assert path.read_text() == "before"


def test_the_same_page_twice_is_the_same_bytes(tmp_path: Path) -> None:
    assert page(tmp_path, [explanation()], **SECTIONS).html == page(tmp_path, [explanation()], **SECTIONS).html


@given(st.lists(st.floats(-1e12, 1e12), min_size=1))
def test_a_column_reads_back_as_its_numbers(values: list[float]) -> None:
    scale = Scale.of(values)
    for value in values:
        read = float(scale.text(value).replace("\N{MINUS SIGN}", "-")) * 10.0**scale.power
        assert abs(read - value) <= 0.0051 * scale.largest
        assert 0 <= float(scale.share(value)) <= 1


@given(st.floats(0, 1))
def test_a_probability_is_never_said_to_be_certain_or_nothing(share: float) -> None:
    said = percentage(share)
    assert said not in {"100.0%", "0.0%"}
    if said[0] not in "<>":
        assert abs(float(said[:-1]) / 100 - share) <= 0.00051
