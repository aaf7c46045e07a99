"""Names of strangers do nothing to a terminal, a line, a page or a spreadsheet, whichever command shows them."""

import csv
import io
import json
import unicodedata
from dataclasses import replace

import pytest
import store_cases as cases
from hypothesis import given
from hypothesis import strategies as st
from shapes import unchecked

from db import NameStore, WholeRun
from db.exchange.csv_tables import write_overlaps, write_units
from db.exchange.plain_files import write_folder
from dissection.errors import NeuronExplainError
from dissection.plain_text import cell, steers, visible, visible_json
from dissection.vocabulary import Concept
from neuronexplain.cli import console, failures
from neuronexplain.pictures.tiles import sheet
from neuronexplain.report.page import environment

CLIPBOARD = "\x1b]52;c;ZXZpbA==\x07"
HOSTILE = {
    "clipboard": CLIPBOARD,
    "8-bit control sequence": "\x9b8m",
    "line break": "\nneuronexplain: all is well",
    "carriage return": "\rneuronexplain: all is well",
    "next line": "\x85",
    "line separator": "\u2028",
    "override": "\u202egpj.exe",
    "isolate": "\u2066",
    "backspace": "\b\b\b",
    "delete": "\x7f",
    "null": "\0",
    "half a character": "\udc80",
    "tags": "\U000e0041",
}


@given(st.text())
def test_visible_text_has_nothing_that_steers(text):
    shown = visible(text)
    assert not steers(shown)
    assert not any(unicodedata.category(character) in {"Cc", "Cs", "Zl", "Zp"} for character in shown)
    assert not any(unicodedata.bidirectional(character) in {"LRO", "RLO", "LRI", "RLI", "PDF"} for character in shown)
    assert visible(shown) == shown
    if text.isprintable():
        assert shown == text


@given(
    st.recursive(
        st.text() | st.floats(allow_nan=False), lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner)
    )
)
def test_visible_json_says_the_same(value):
    text = visible_json(json.dumps(value, indent=2, ensure_ascii=False))
    assert json.loads(text) == value
    assert not any(map(steers, text.split("\n")))


@given(st.text())
def test_a_cell_is_never_a_formula(text):
    assert not cell(text).lstrip(" ").startswith(tuple("=+-@\t\r\n\uff1d\uff0b\uff0d\uff20"))


@pytest.mark.parametrize("name", ["sky", "traffic light", "Bäume", "空", "عشب", "👩‍🌾", "it's", "3=3", "a-b"])
def test_ordinary_names_stay_as_they_are(name):
    assert visible(name) == cell(name) == name


@pytest.mark.parametrize("text", HOSTILE.values(), ids=HOSTILE.keys())
def test_the_console_shows_escapes(text, capsys):
    rows = [{"name": f"sky{text}", "size": -1.5, "units": (1, 2)}]
    for write in (
        lambda: console.say(f"sky{text}"),
        lambda: console.note(f"sky{text}"),
        lambda: console.say_wrapped(f"sky{text}"),
        lambda: console.write_json({f"sky{text}": [text]}),
        lambda: console.write_rows(rows, {"name": "name"}, as_json=False, as_csv=False),
        lambda: console.write_rows(rows, {"name": "name"}, as_json=True, as_csv=False),
        lambda: console.write_rows(rows, {"name": "name"}, as_json=False, as_csv=True),
        lambda: failures.tell(NeuronExplainError(f"no concept sky{text}")),
        lambda: failures.tell(OSError(2, "No such file", f"sky{text}")),
    ):
        write()
        told = "".join(capsys.readouterr())
        assert told
        assert not any(map(steers, told.split("\n"))), told
        assert not any(line.startswith("neuronexplain: all is well") for line in told.splitlines())


def test_progress_shows_escapes_and_no_markup(capsys):
    with console.progress() as progress:
        progress(f"reading [red]{CLIPBOARD}", 1, 2)
    told = capsys.readouterr().err
    assert "\x1b]52" not in told
    assert r"[red]\x1b]52" in told.replace("\n", "")


FORMULAE = ("=HYPERLINK(1)", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1", " =1", "\uff1d1")


@pytest.mark.parametrize("name", FORMULAE)
def test_cells_of_csv_are_no_formulae_and_numbers_stay_numbers(name, capsys):
    console.write_rows([{"name": name, "alpha": -0.5, "thin": True}], {}, as_json=False, as_csv=True)
    (row,) = csv.DictReader(io.StringIO(capsys.readouterr().out))
    assert row == {"name": f"'{visible(name)}", "alpha": "-0.5", "thin": "True"}
    unit = cases.small_dissection().units[0]
    hostile = replace(unit.overlaps[0], concept=Concept(1, name, f"{name}s"))
    unit = replace(unit, overlaps=(hostile,), threshold=-2.0)
    for write in (write_units, write_overlaps):
        stream = io.BytesIO()
        write(stream, [unit])
        (row,) = csv.reader(io.StringIO(stream.getvalue().decode().split("\n", 1)[1]))
        assert all(not text.startswith(("=", "+", "@", "\t", "\r", "\uff1d")) for text in row)
        assert all(not text.startswith("-") or float(text) for text in row)
        assert row.count(cell(Concept(1, name, "").spoken)) == (2 if write is write_units else 1)


def test_an_export_s_readme_is_one_row_per_run(tmp_path):
    dissection = cases.small_dissection()
    run = replace(
        cases.run_of(dissection), network=f"vgg|16\n| forged |{CLIPBOARD}<script>", licence=f"CC0{CLIPBOARD}\nby Ada"
    )
    write_folder(tmp_path / "names", [WholeRun(run, dissection)], run.licence)
    readme = (tmp_path / "names" / "README.md").read_text()
    assert not any(map(steers, readme.split("\n")))
    assert "<script" not in readme
    assert len([line for line in readme.splitlines() if line.startswith("|")]) == 3


def test_pages_and_sheets_show_escapes():
    page = environment().from_string("{{ name }}{{ picture | safe }}").render(name="<b>\u202e\x1b", picture="<i>")
    assert page == "&lt;b&gt;\\u202e\\x1b<i>"
    hostile = f"sky{CLIPBOARD}\udc80\u202egpj"
    assert sheet([[(None, hostile)]]).tobytes() == sheet([[(None, visible(hostile))]]).tobytes()


@pytest.mark.parametrize("words", [("units",), ("runs",), ("classes", "for", "sky"), ("concepts", "of", "0")])
@pytest.mark.parametrize("form", [(), ("--json",), ("--csv",)])
@unchecked()
def test_every_query_shows_escapes(words, form, run, tmp_path):
    dissection = cases.small_dissection()
    supports = tuple(
        replace(one, concept=replace(one.concept, category=f"{one.concept.category}{CLIPBOARD}"))
        for one in dissection.concepts
    )
    renamed = {support.concept.number: support.concept for support in supports}
    units = tuple(
        replace(unit, overlaps=tuple(replace(one, concept=renamed[one.concept.number]) for one in unit.overlaps))
        for unit in dissection.units
    )
    layer = replace(dissection.layer, name=f"layer{CLIPBOARD}")
    dissection = replace(dissection, layer=layer, concepts=supports, units=units)
    hostile = replace(
        cases.run_of(dissection),
        network=f"vgg{CLIPBOARD}",
        concepts=f"=msrc{CLIPBOARD}",
        evidence=f"images\n{CLIPBOARD}",
        classes=tuple(f"{label}{CLIPBOARD}\n" for label in ("beach", "street", "library")),
        source={"network": CLIPBOARD},
    )
    importances = [replace(one, label=f"{one.label}{CLIPBOARD}\n") for one in cases.small_importances()]
    with NameStore.create(tmp_path / "n.db") as store:
        store.publish(hostile, dissection, importances)
    status, out, err = run(*words, "--db", tmp_path / "n.db", *form)
    assert status == 0, err
    assert not any(map(steers, (out + err).split("\n")))
    assert "]52" in out
