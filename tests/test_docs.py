"""The reference says of the code what the code says: names, commands, fields, terms, figures and errors."""

import ast
import re
from dataclasses import replace
from importlib import import_module
from inspect import getmembers, isclass
from pathlib import Path

import msgspec
import pytest
import typer
from test_page_in_browser import answer, pair
from test_report import smooth

import db
import neuronexplain
from db.exchange import json_fields
from db.records import RunKey
from neuronexplain.answer import MethodMap
from neuronexplain.caption import Debt, SaidWord
from neuronexplain.cli.app import app
from neuronexplain.evaluation import protocols
from neuronexplain.explanation import ExplainedCaption
from neuronexplain.methods import METHODS
from neuronexplain.report.glossary import glossary, meaning
from neuronexplain.serialise import to_value
from neuronexplain.vocabulary import LeftOver

ROOT = Path(__file__).parents[1]
REFERENCE = ROOT / "docs" / "reference"
SCRIPTS = ROOT / "scripts" / "docs"


@pytest.fixture
def script(monkeypatch):
    """A script of the docs by its name; they need the extra `docs`."""
    pytest.importorskip("mkdocs")
    monkeypatch.syspath_prepend(str(SCRIPTS))
    return import_module


@pytest.fixture(scope="module")
def messages():
    """The messages of all errors, gathered once."""
    pytest.importorskip("mkdocs")
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(SCRIPTS))
        return import_module("error_messages").error_messages()


def first_cells(text):
    """The first cells of the rows of all tables, without their heads."""
    return re.findall(r"^\| `([^|]*?)` \|", text, re.MULTILINE)


def section(page, heading):
    """What a page says under a heading, up to the next one of its level or above."""
    level, _, title = heading.partition(" ")
    text = (REFERENCE / page).read_text()
    begin = text.index(f"\n{level} {title}\n") + len(heading) + 2
    end = re.search(rf"^#{{1,{len(level)}}} ", text[begin:], re.MULTILINE)
    return text[begin : begin + end.start()] if end else text[begin:]


# Python


def test_every_public_name_is_on_exactly_one_page(script):
    documented = [name.rpartition(".")[2] for page in script("python_pages").PAGES.values() for name in page.names]
    doors = (neuronexplain, db, neuronexplain.methods, protocols)
    assert sorted(set(documented)) == sorted(documented)
    assert {name for door in doors for name in door.__all__} <= set(documented)


def test_every_name_on_a_page_can_be_imported(script):
    for page in script("python_pages").PAGES.values():
        for path in page.names:
            module, _, name = path.rpartition(".")
            assert hasattr(import_module(module), name), path


def test_roles_become_links_to_what_is_documented(script):
    griffe = import_module("griffe")
    linked = script("docstrings").linked
    function = griffe.Function("explain", parent=griffe.Module("explaining", parent=griffe.Module("neuronexplain")))
    assert linked("build", function) == "[`build`][neuronexplain.build]"
    assert linked("~db.store.NameStore", function) == "[`db.store.NameStore`][neuronexplain.NameStore]"
    assert linked("Network.from_module", function) == "[`Network.from_module`][neuronexplain.Network.from_module]"
    assert linked("dissection.engine.chance", function) == "`dissection.engine.chance`"


# Command line


def commands(group, before="neuronexplain"):
    for name, command in group.commands.items():
        yield f"{before} {name}", command
        yield from commands(command, f"{before} {name}") if hasattr(command, "commands") else ()


def test_every_command_and_option_is_in_the_reference(script):
    pages = script("command_pages").command_pages()
    for name, command in commands(typer.main.get_command(app)):
        page = pages[f"reference/command-line/{name.split()[1]}.md"]
        begin = page.index(f"# {name} {{")
        options = {spelling for parameter in command.params for spelling in parameter.opts if spelling.startswith("--")}
        text = page[begin : page.find("\n#", begin) % len(page) + 1]
        assert options - {"--help"} <= set(re.findall(r"`(--[a-z0-9-]+)`", text)), name
    overview = pages["reference/command-line/index.md"]
    assert "[`neuronexplain concepts of`](concepts.md#concepts-of)" in overview


def test_what_typer_says_becomes_cells(script):
    row = script("command_pages")._row
    assert row("--top <int range>", "How many.  [default: 5; x>=1]") == (
        "`--top`",
        "How many. <small>`int`, ≥ 1</small>",
        "`5`",
    )
    assert row("--a, --b <list[x|y]>", "Both.") == ("`--a`, `--b`", "Both. <small>`x`, `y`, repeatable</small>", "")
    assert row("--json", "Write <JSON>.") == ("`--json`", "Write &lt;JSON>.", "")


# Files


def paths(value, before=""):
    """The fields of a JSON value and of what is in it, such as ``top[].unit``."""
    if isinstance(value, dict):
        for name, inner in value.items():
            yield f"{before}{name}"
            yield from paths(inner, f"{before}{name}.")
    if isinstance(value, list):
        for inner in value:
            yield from paths(inner, f"{before.removesuffix('.')}[].")


def full_answer():
    """An explanation in which everything is there."""
    other = MethodMap(METHODS["occlusion"], smooth(1)[None])
    return answer(question="where is it?", labels="labels by a model", left_over=LeftOver(1.0, 2.0), others=(other,))


def without_shared(fields):
    """The fields without those of lists whose entries are documented elsewhere."""
    return {field for field in fields if not field.startswith(("bottom[]", "passed_over[]"))}


def test_every_field_of_an_explanation_is_documented():
    text = section("files.md", "### The JSON of an explanation")
    one, two, words = re.split(r"^Of ", text, flags=re.MULTILINE)
    assert set(first_cells(one)) == without_shared(paths(to_value(full_answer())))
    of_pair = {
        path for path in paths(to_value(pair())) if not path.startswith(("explanations[].", "contrasts[].top[]"))
    }
    assert set(first_cells(two)) == of_pair
    said = SaidWord("sand", 0, -0.5, Debt(2.0, (1.5, 2.5), 8), full_answer())
    caption = ExplainedCaption("a.jpg", (said, replace(said, explanation=None)), answer().photograph, smooth(1))
    of_caption = {path for path in paths(to_value(caption)) if not path.startswith("words[].explanation.")}
    assert set(first_cells(words)) == of_caption


def test_every_field_of_names_is_documented():
    text = section("files.md", "### names.json")
    forms = [form for _, form in getmembers(json_fields, isclass) if issubclass(form, msgspec.Struct)]
    fields = {field.encode_name for form in forms for field in msgspec.structs.fields(form)}
    documented = set(re.findall(r"`(\w+)`", text.partition("|---|---|")[2]))
    assert documented == fields


def test_every_part_of_a_run_key_is_documented():
    table = (REFERENCE / "run-key.md").read_text().partition("## The body")[0]
    assert first_cells(table) == list(RunKey.__dataclass_fields__)


# Figures


def test_every_function_that_the_metrics_name_is_there():
    names = re.findall(r"`((?:dissection|db|neuronexplain)\.[\w.]+)`", (REFERENCE / "metrics.md").read_text())
    assert len(names) > 40
    for name in names:
        parts = name.split(".")
        module = next(
            ".".join(parts[:end])
            for end in range(len(parts), 0, -1)
            if (ROOT / Path(*parts[:end])).is_dir() or (ROOT / Path(*parts[:end])).with_suffix(".py").is_file()
        )
        value = import_module(module)
        for part in parts[module.count(".") + 1 :]:
            value = getattr(value, part)


def test_an_equation_is_mathml(script):
    html = script("equations").equation(r"\alpha_k = \frac{1}{Z}")
    assert "<math" in html
    assert "<mfrac>" in html


# Terms


def test_templates_use_terms_of_the_glossary():
    templates = [*(ROOT / "neuronexplain" / "report").rglob("*.j2"), *(ROOT / "neuronexplain" / "web").rglob("*.j2")]
    text = "\n".join(path.read_text() for path in templates)
    used = set(re.findall(r"\b(?:term|meaning)\(\"(\w+)\"", text))
    assert {"iou", "q", "truth", "alpha", "effect"} <= used <= set(glossary())


def test_pages_that_say_how_they_are_read_use_the_glossary():
    pages = [path for path in (ROOT / "neuronexplain" / "report").rglob("*.j2") if "How to read" in path.read_text()]
    assert {"audit_effect.html.j2", "audit_mistakes.html.j2", "page.html.j2"} <= {path.name for path in pages}
    for path in pages:
        assert len(set(re.findall(r"\b(?:term|meaning)\(\"(\w+)\"", path.read_text()))) > 1, path.name


def test_terms_are_short_and_speak_of_what_is_shown():
    for entry in glossary().values():
        assert entry.says.endswith(".")
        assert len(re.findall(r"[.!?:](?= |$)", entry.says)) <= 4, entry.term
    assert "feature" in meaning("iou", "feature")
    assert "{" not in "".join(map(meaning, glossary()))


# Errors


def test_messages_are_gathered_with_what_is_filled_in(script, messages):
    texts = {message.text for message in messages}
    assert len(texts) > 700
    assert "{folder} holds a page already; name another folder, or replace it with --replace" in texts
    assert "no dataset {name} is known; choose one of {SOURCES}" in texts
    assert "{file}: there is no such folder; check the path" in texts
    assert "{file}: line {line}: {column} is empty; fill it in" in texts
    assert any(
        text.endswith("its layer has no name or no units: it was changed or damaged, export it again where it was made")
        for text in texts
    )
    assert all(script("error_messages").by_subject(messages).values())


_TO_DO = (
    "add ask build change check choose collect convert correct define do download draw drop explain export fetch "
    "fill get give import keep label learn leave let load lower make move name open pip prepare publish put remove "
    "rename replace restore run save say scale set shorten start take try unpack update use wait wrap write"
)
"""What messages tell one to do: a clause of each begins with one of these words, or says what is needed."""
_ADVICE = re.compile(
    rf"(?:^|[;:,(] )(?:or |and |`)*(?:{_TO_DO.replace(' ', '|')})\b"
    r"|\b(?:needs?|needed|must)\b|\{(?:advice|remedy|NEEDED)\}$"
)


def test_every_message_says_what_to_do(messages):
    assert [f"{one.module}: {one.text}" for one in messages if not _ADVICE.search(one.text)] == []
    assert not _ADVICE.search("{name} is labelled in {unknown}; the vocabulary has no such category")


def test_placeholders_are_what_the_code_calls_a_value(script):
    placeholder = script("error_messages").placeholder
    codes = ("', '.join(names)", "self.run.id", "len(images)", "error.strerror or error", "readable(path)")
    shown = [placeholder(ast.parse(code, mode="eval").body) for code in codes]
    assert shown == ["{names}", "{run id}", "{number of images}", "{reason}", "{path}"]


def test_what_is_filled_in_is_set_apart(script):
    shown = script("hooks")._with_placeholders("no {path} *here*; {a_b}|")
    assert shown == r"no <i>{path}</i> \*here\*; <i>{a\_b}</i>\|"


def test_the_page_of_errors_shows_the_whole_tree():
    tree = section("errors.md", "## Classes")
    named = set(re.findall(r"\w+Error", tree.partition("```text")[2]))
    assert named == set(re.findall(r"\w+Error", import_module("dissection.errors").__doc__))


# What is built


def test_what_a_page_would_load_from_elsewhere_is_found(script, tmp_path):
    outside = script("outside")
    (tmp_path / "page.html").write_text(
        '<a href="https://a.example">read</a><script src="https://b.example/x.js"></script>'
        '<link rel="stylesheet" href="//c.example/x.css"><img srcset="a.png, https://d.example/b.png 2x">'
        '<style>@font-face { src: url("https://e.example/f.woff2") }</style>'
        '<p style="background: url(//f.example/g.png)"><img src="pictures/a.png">'
    )
    (tmp_path / "style.css").write_text(
        "@import 'https://h.example/x.css'; p { background: url(data:image/png;base64,A) }"
    )
    hosts = [re.search(r"(\w)\.example", line)[1] for line in outside.outside_resources(tmp_path)]
    assert hosts == ["b", "c", "d", "e", "f", "h"]


def test_folders_of_the_navigation_become_their_pages(script):
    listed = script("hooks")._with_folders(
        [{"Reference": ["a.md", {"Commands": "commands/"}]}], ["a.md", "commands/b.md"]
    )
    assert listed == [{"Reference": ["a.md", {"Commands": ["commands/b.md"]}]}]


def test_a_notebook_becomes_a_page(script):
    page = script("notebook_page").notebook_page(ROOT / "docs" / "how-to" / "notebook.ipynb")
    assert page.startswith("# Why does the network say so?\n\nNames for")
    assert "[Download the notebook](notebook.ipynb)" in page
    assert "```python\nbuild(network, " in page
