"""What must hold for the project as a whole."""

import ast
import subprocess
import sys
import zipfile
from graphlib import TopologicalSorter
from pathlib import Path

import grimp
import pytest
import typer
from hatchling.builders.wheel import WheelBuilder

import neuronexplain
from neuronexplain.cli.app import app

ROOT = Path(__file__).parents[1]
PACKAGES = ("neuronexplain", "dissection", "db")


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    (path,) = WheelBuilder(str(ROOT)).build(directory=str(tmp_path_factory.mktemp("wheel")), versions=["standard"])
    with zipfile.ZipFile(path) as archive:
        return archive.namelist()


def test_top_level_of_the_wheel(wheel):
    tops = {name.split("/")[0] for name in wheel}
    assert {top for top in tops if not top.endswith(".dist-info")} == set(PACKAGES)


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
    "db",
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
