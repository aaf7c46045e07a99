"""What must hold for the project as a whole."""

import ast
import re
import subprocess
import sys
import tarfile
import tomllib
import zipfile
from graphlib import TopologicalSorter
from importlib import import_module
from pathlib import Path

import grimp
import pytest
import typer
import yaml
from hatchling.builders.sdist import SdistBuilder
from hatchling.builders.wheel import WheelBuilder

import neuronexplain
from neuronexplain.cli.app import app

ROOT = Path(__file__).parents[1]
PACKAGES = ("neuronexplain", "dissection", "db")


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    (path,) = WheelBuilder(str(ROOT)).build(directory=str(tmp_path_factory.mktemp("wheel")), versions=["standard"])
    return Path(path)


@pytest.fixture(scope="module")
def wheel(built):
    with zipfile.ZipFile(built) as archive:
        return archive.namelist()


def test_top_level_of_the_wheel(wheel):
    tops = {name.split("/")[0] for name in wheel}
    assert {top for top in tops if not top.endswith(".dist-info")} == set(PACKAGES)


def test_the_wheel_holds_every_file_of_the_packages_and_nothing_else(wheel):
    tracked = subprocess.run(
        ["git", "ls-files", "--", *PACKAGES], cwd=ROOT, capture_output=True, text=True, check=False
    )
    if tracked.returncode:
        pytest.skip("this is no clone")
    here = {name for name in tracked.stdout.splitlines() if (ROOT / name).exists()}
    assert {name for name in wheel if ".dist-info/" not in name} >= here
    assert not [name for name in wheel if "__pycache__" in name or name.startswith(("tests", "scripts", "docs"))]


def test_the_sdist_builds_itself_and_holds_no_litter(tmp_path):
    (path,) = SdistBuilder(str(ROOT)).build(directory=str(tmp_path), versions=["standard"])
    with tarfile.open(path) as archive:
        names = {name.partition("/")[2] for name in archive.getnames()}
    assert {"pyproject.toml", "README.md", "LICENSE", "CITATION.cff", "scripts/index_readme.py"} <= names
    assert {"tests/conftest.py", "tests/made_before/names.db", "docs/index.md"} <= names
    assert not [name for name in names if "__pycache__" in name or name.startswith((".git/", ".venv", "dist", "demo"))]


def test_the_package_index_shows_a_readme_without_dead_links(built):
    with zipfile.ZipFile(built) as archive:
        (metadata,) = (name for name in archive.namelist() if name.endswith("METADATA"))
        shown = archive.read(metadata).decode().partition("\n\n")[2]
    without_code = re.sub(r"```.*?```", "", shown, flags=re.DOTALL)
    assert not re.findall(r"\]\((?!\w+:|#)[^)]*\)", without_code)
    assert not re.findall(r"\b(?:src|srcset|href)=.(?!\w+:|#)", without_code)
    assert len(shown) > 1000
    assert shown.count("```") == (ROOT / "README.md").read_text().count("```")


READMES = [
    ("a ![A page](a.jpg) [b](c.md#d) [e](#f) [g](https://h/i)", "a  b [e](#f) [g](https://h/i)"),
    ('<p><img alt="A" src="docs/a.png" width="9"></p>', "<p></p>"),
    ("[![A](a.jpg)](b.md)", ""),
    ('<a href="docs/e.md">A <b>B</b></a> <source srcset="f.png">', "A <b>B</b> "),
    ("```md\n[a](b.md)\n```\n[a](b.md)", "```md\n[a](b.md)\n```\na"),
]


@pytest.mark.parametrize(("text", "shown"), READMES)
def test_without_a_repository_links_are_text(text, shown, monkeypatch):
    monkeypatch.syspath_prepend(str(ROOT / "scripts"))
    assert import_module("index_readme").for_index(text) == shown


def test_with_a_repository_links_and_pictures_are_absolute(monkeypatch):
    monkeypatch.syspath_prepend(str(ROOT / "scripts"))
    for_index = import_module("index_readme").for_index
    shown = for_index("\n".join(text for text, _ in READMES), "https://host/us/it/", "1.2")
    for address in (
        "blob/v1.2/c.md#d",
        "blob/v1.2/b.md",
        "blob/v1.2/docs/e.md",
        "raw/v1.2/a.jpg",
        "raw/v1.2/docs/a.png",
        "raw/v1.2/f.png",
    ):
        assert f"https://host/us/it/{address}" in shown
    assert "[![A](https://host/us/it/raw/v1.2/a.jpg)](https://host/us/it/blob/v1.2/b.md)" in shown
    assert "```md\n[a](b.md)\n```" in shown
    assert "[e](#f) [g](https://h/i)" in shown


def test_the_version_is_the_same_everywhere():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text())
    assert citation["version"] == project["version"]
    heading = f"## [{project['version']}] - {citation['date-released']}"
    assert heading in (ROOT / "CHANGELOG.md").read_text()


def test_the_citation_is_of_the_citation_file_format():
    """Its version 1.2.0: what every file and every person must have, and names that GitHub and Zenodo read."""
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text())
    assert citation["cff-version"] == "1.2.0"
    assert {"authors", "message", "title"} <= citation.keys()
    for work in (citation, *citation["references"]):
        assert {"authors", "title", "type"} <= work.keys()
        for author in work["authors"]:
            assert author.keys() in ({"name"}, {"family-names", "given-names"})
    for reference in citation["references"]:
        assert re.fullmatch(r"10\.\d{4,}/\S+", reference["doi"])


def test_forms_for_reports_ask_for_what_doctor_prints():
    forms = {
        path.stem: yaml.safe_load(path.read_text()) for path in (ROOT / ".github" / "ISSUE_TEMPLATE").glob("*.yml")
    }
    assert forms.pop("config").keys() <= {"blank_issues_enabled", "contact_links"}
    assert forms.keys() == {"bug", "feature"}
    for form in forms.values():
        assert {"name", "description", "body"} <= form.keys()
        identifiers = [field["id"] for field in form["body"]]
        assert len(set(identifiers)) == len(identifiers)
        assert all(field["attributes"]["label"] for field in form["body"])
    (doctor,) = (field for field in forms["bug"]["body"] if field["id"] == "doctor")
    assert "neuronexplain doctor" in doctor["attributes"]["description"]
    assert doctor["validations"]["required"]


def test_the_wheel_holds_what_is_not_code(wheel):
    assert {"dissection/scenes/scenes.safetensors", "dissection/concepts/synonyms.csv"} <= set(wheel)
    described = {f"dissection/scenes/described/{name}.safetensors" for name in ("captioner", "answerer")}
    assert described | {"neuronexplain/evaluation/ground_truth/language/coco_words.csv"} <= set(wheel)
    assert {f"{package}/py.typed" for package in PACKAGES} <= set(wheel)
    assert any(name.endswith(".html.j2") for name in wheel)


def test_no_modules_import_each_other_in_a_circle():
    graph = grimp.build_graph(*PACKAGES)
    imports = {module: graph.find_modules_directly_imported_by(module) for module in graph.modules}
    assert len(imports) > 200
    TopologicalSorter(imports).prepare()  # raises the first circle as a CycleError


DOORS = {
    "neuronexplain",
    "neuronexplain/methods",
    "neuronexplain/evaluation/protocols",
    "dissection/concepts/formats",
    "dissection/vocabulary",
    "db",
    "db/frames",
}


def test_a_folder_says_what_belongs_in_it_and_only_doors_import():
    for package in PACKAGES:
        for path in (ROOT / package).rglob("*.py"):
            room = path.with_name("__init__.py")
            assert room.exists(), f"{room} is missing"
            tree = ast.parse(room.read_text())
            assert len(ast.get_docstring(tree) or "") > 30, room
            if str(room.parent.relative_to(ROOT)) not in DOORS:
                assert len(tree.body) == 1, f"{room} holds more than a docstring"


def test_everything_public_is_there():
    assert sorted(neuronexplain.__all__) == sorted(neuronexplain._HOMES)
    for name in neuronexplain.__all__:
        assert name.isupper() or getattr(neuronexplain, name).__name__ == name
    assert set(map(type, neuronexplain.METHODS)) == {str}
    with pytest.raises(AttributeError, match="nonsense"):
        _ = neuronexplain.nonsense


def test_no_public_name_is_a_modules_name():
    modules = {path.stem for path in (ROOT / "neuronexplain").iterdir()}
    assert not modules & set(neuronexplain.__all__)


def test_help_imports_nothing_heavy():
    heavy = "{'torch', 'pandas', 'numpy', 'sqlalchemy', 'PIL'}"
    code = f"import sys, neuronexplain.cli.app; print(*(set(sys.modules) & {heavy}))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == ""


def test_the_library_never_prints():
    for package in PACKAGES:
        for path in (ROOT / package).rglob("*.py"):
            if "cli" in path.parts:
                continue
            calls = [node for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.Call)]
            assert not [call for call in calls if getattr(call.func, "id", "") == "print"], path


def command_names() -> list[str]:
    def walk(app: typer.Typer, before: str) -> list[str]:
        own = [f"{before} {command.name or command.callback.__name__}" for command in app.registered_commands]
        return own + [
            name for group in app.registered_groups for name in walk(group.typer_instance, f"{before} {group.name}")
        ]

    return walk(app, "neuronexplain")


@pytest.mark.parametrize("name", command_names())
def test_every_command_is_documented(name):
    pages = [ROOT / "README.md", *(ROOT / "docs").rglob("*.md")]
    assert any(name in page.read_text() for page in pages)
