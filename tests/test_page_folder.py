"""A page's folder: nothing of others is overwritten, nothing stale stays, and a refusal leaves nothing."""

import json
import sys
from contextlib import contextmanager, suppress
from dataclasses import replace
from functools import partial, partialmethod
from pathlib import Path

import numpy as np
import pytest
from test_report import explanation, photograph

from dissection.errors import OutputError
from neuronexplain.answer import Contrast, MethodMap
from neuronexplain.explanation import Comparison, Explanation
from neuronexplain.methods import METHODS
from neuronexplain.report.folder import MANIFEST, require_free, write_folder
from neuronexplain.vocabulary import Rules, Score

ABOUT = {"title": "Why", "facts": {}}


def files(folder):
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())


def test_a_folder_knows_what_it_holds(tmp_path):
    out = tmp_path / "deep" / "why"
    values = write_folder(out, [explanation("x/a.jpg"), explanation("y/a.jpg"), explanation("index.jpg")], **ABOUT)
    pictures = ["a-2.png", "a.png", "index-2.png"]
    assert files(out) == sorted([*pictures, "explanations.json", "index.html", MANIFEST])
    assert json.loads((out / "explanations.json").read_text()) == values
    assert [value["heatmap"] for value in values] == [str(out / name) for name in ("a.png", "a-2.png", "index-2.png")]


def test_another_page_is_refused_or_replaced_whole(tmp_path):
    out = tmp_path / "why"
    write_folder(out, [explanation("a.jpg"), explanation("b.jpg")], **ABOUT)
    (out / "notes.txt").write_text("theirs")
    before = files(out)
    with pytest.raises(OutputError, match="holds a page already; name another folder, or replace it with --replace"):
        require_free(out, ["c.jpg"])
    with pytest.raises(OutputError, match="holds a page already"):
        write_folder(out, [explanation("c.jpg")], **ABOUT)
    assert files(out) == before
    write_folder(out, [explanation("c.jpg")], **ABOUT, replace=True)
    assert files(out) == sorted(["c.png", "explanations.json", "index.html", "notes.txt", MANIFEST])


@contextmanager
def stopped_at(step, folder, monkeypatch):
    """Ctrl-C at a change of the folder, counted from 1."""
    to_come = list(range(step))

    def stop(change, path, *arguments, **options):
        is_change = any(folder in Path(place).parents for place in (path, *arguments))
        if is_change and to_come and not to_come.pop():
            raise KeyboardInterrupt
        return change(path, *arguments, **options)

    with monkeypatch.context() as patch, suppress(KeyboardInterrupt):
        for name in ("touch", "replace", "unlink"):
            patch.setattr(Path, name, partialmethod(partial(stop, getattr(Path, name))))
        yield
    assert not to_come, "there were fewer changes"


@pytest.mark.parametrize("step", range(1, 7))
@pytest.mark.parametrize("is_there", [False, True])
def test_what_a_stopped_process_left_is_replaced_without_asking(tmp_path, monkeypatch, step, is_there):
    out = tmp_path / "why"
    if is_there:
        write_folder(out, [explanation("old.jpg")], **ABOUT)
    with stopped_at(step, out, monkeypatch):
        write_folder(out, [explanation("a.jpg")], **ABOUT, replace=is_there)
    write_folder(out, [explanation("a.jpg")], **ABOUT, replace=is_there and step == 1)
    assert files(out) == sorted(["a.png", "explanations.json", "index.html", MANIFEST])


def test_a_page_from_which_something_is_missing_is_replaced_without_asking(tmp_path):
    out = tmp_path / "why"
    write_folder(out, [explanation("a.jpg")], **ABOUT, missing=["b.jpg is not an image"])
    write_folder(out, [explanation("a.jpg"), explanation("b.jpg")], **ABOUT)
    assert files(out) == sorted(["a.png", "b.png", "explanations.json", "index.html", MANIFEST])
    with pytest.raises(OutputError, match="holds a page already"):
        write_folder(out, [explanation("a.jpg")], **ABOUT)


@pytest.mark.parametrize("name", ["index.html", "explanations.json", "a.png"])
@pytest.mark.parametrize("replace", [False, True])
def test_files_of_others_are_never_overwritten(tmp_path, name, replace):
    (tmp_path / name).write_text("theirs")
    with pytest.raises(OutputError, match="is no part of a page of ours"):
        write_folder(tmp_path, [explanation("a.jpg")], **ABOUT, replace=replace)
    assert files(tmp_path) == [name]
    assert (tmp_path / name).read_text() == "theirs"


def test_nor_are_those_where_a_second_target_or_a_method_would_stand(tmp_path):
    contrast = Contrast(explanation().target, explanation().target, (), (), Rules(), None)
    pair = Comparison((explanation("a.jpg"), explanation("a.jpg")), (contrast, contrast))
    with_method = explanation("a.jpg", others=(MethodMap(METHODS["gradient"], np.zeros((3, 8, 8), np.float32)),))
    for name, made in (("a-2.png", pair), ("gradient/a.png", with_method)):
        folder = tmp_path / name.replace("/", "-")
        (folder / name).parent.mkdir(parents=True)
        (folder / name).write_text("theirs")
        with pytest.raises(OutputError, match="is no part of a page of ours"):
            write_folder(folder, [made], **ABOUT)
        assert files(folder) == [name]
        assert (folder / name).read_text() == "theirs"


@pytest.mark.parametrize(
    "content", ["{", "[]", '{"files": [1]}', '{"files": ["../../theirs"]}', '{"files": ["/theirs"]}']
)
def test_a_list_that_is_damaged_or_leads_out_removes_nothing(tmp_path, content):
    out = tmp_path / "deep" / "why"
    out.mkdir(parents=True)
    (tmp_path / "theirs").write_text("theirs")
    (out / MANIFEST).write_text(content)
    with pytest.raises(OutputError, match="is damaged; remove the folder, or name another one"):
        write_folder(out, [explanation("a.jpg")], **ABOUT, replace=True)
    assert files(tmp_path) == ["deep/why/page-files.json", "theirs"]


def test_a_page_that_fails_leaves_the_earlier_one(tmp_path, monkeypatch):
    out = tmp_path / "why"
    write_folder(out, [explanation("a.jpg")], **ABOUT)
    before = {name: (out / name).read_bytes() for name in files(out)}
    monkeypatch.setattr("neuronexplain.report.folder.write_page", lambda *_, **__: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        write_folder(out, [explanation("b.jpg")], **ABOUT, replace=True)
    assert {name: (out / name).read_bytes() for name in files(out)} == before
    with pytest.raises(ZeroDivisionError):
        write_folder(tmp_path / "new", [explanation("b.jpg")], **ABOUT)
    assert [path.name for path in tmp_path.iterdir()] == ["why"]


def test_an_explanation_saves_itself(tmp_path):
    made = explanation("a.jpg")
    assert isinstance(made, Explanation)
    for form in ("html", "PNG", "json"):
        made.save(tmp_path / f"why.{form}")
    assert json.loads((tmp_path / "why.json").read_text()) == made.to_dict()
    assert (tmp_path / "why.PNG").read_bytes().startswith(b"\x89PNG")
    assert "Said" not in repr(made)
    assert repr(made) == "<Explanation of a.jpg: beach 91.2%; 5 neurons for it, 5 against>"
    made.save(tmp_path / "folder")
    assert files(tmp_path / "folder") == ["explanation.html", "explanation.json", "explanation.png"]
    with pytest.raises(OutputError, match="already exists; name another folder"):
        made.save(tmp_path / "folder")
    with pytest.raises(OutputError, match=r"'\.jpg'; use \.html, \.png, \.json, or no suffix for a folder"):
        made.save(tmp_path / "why.jpg")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["folder", "why.PNG", "why.html", "why.json"]


def test_a_comparison_saves_itself(tmp_path):
    first = explanation("a.jpg")
    second = replace(first, target=Score("coast", 0, 0.05, 4.0))
    contrast = Contrast(first.target, second.target, first.top, first.bottom, Rules(), 1.25)
    turned = replace(contrast, rather=second.target, than=first.target, loss=None)
    made = Comparison((first, second), (contrast, turned))
    made.save(tmp_path / "folder")
    assert json.loads((tmp_path / "folder" / "explanation.json").read_text()) == made.to_dict()
    assert "rather than coast" in (tmp_path / "folder" / "explanation.html").read_text()
    drawn = made.figure()
    assert [contrast.sentence in drawn.texts[0].get_text().replace("\n", " ") for contrast in made.contrasts] == [
        True,
        True,
    ]
    assert [axes.get_title() for axes in drawn.axes] == [
        "What the network saw",
        "Evidence for beach",
        "Evidence for coast",
        "Neurons named sand",
        "Neurons named sea",
    ]
    assert "rather than coast" in made._repr_html_()


def test_a_name_of_several_lines_has_one_line():
    assert "\n" not in repr(explanation("a\n\x1b[8mb.jpg"))


def test_a_figure_is_no_part_of_pyplot(monkeypatch):
    monkeypatch.delitem(sys.modules, "matplotlib.pyplot", raising=False)
    drawn = explanation("a.jpg", photograph=photograph((60, 40))).figure()
    assert "matplotlib.pyplot" not in sys.modules
    assert [axes.get_title() for axes in drawn.axes] == [
        "What the network saw",
        "Evidence for beach",
        "Neurons named sand",
        "Neurons named sea",
    ]


@pytest.mark.parametrize("opens", [True, False])
def test_show_opens_the_page_or_says_where_it_is(tmp_path, monkeypatch, opens):
    opened = []
    monkeypatch.setattr("neuronexplain.report.display.mkdtemp", lambda prefix: str(tmp_path))
    monkeypatch.setattr("webbrowser.open", lambda address: opened.append(address) or opens)
    if opens:
        explanation().show()
    else:
        with pytest.raises(OutputError, match=r"no browser can be opened here; open .*explanation\.html"):
            explanation().show()
    assert opened == [(tmp_path / "explanation.html").as_uri()]
    assert "<article" in (tmp_path / "explanation.html").read_text()
