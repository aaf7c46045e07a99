"""The notebook of the docs runs from top to bottom in a real kernel, and shows what it says."""

import base64
import io
from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient
from PIL import Image
from test_report import Page

NOTEBOOK = Path(__file__).parents[1] / "docs" / "how-to" / "notebook.ipynb"


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    return tmp_path_factory.mktemp("notebook")


@pytest.fixture(scope="module")
def executed(place):
    """The code cells after a run in a kernel of this Python, which finds nothing of the user's."""
    notebook = nbformat.read(NOTEBOOK, as_version=4)
    with pytest.MonkeyPatch.context() as environment:
        for name in ("JUPYTER_DATA_DIR", "JUPYTER_CONFIG_DIR", "JUPYTER_RUNTIME_DIR", "IPYTHONDIR"):
            environment.setenv(name, str(place / name))
        environment.setenv("JUPYTER_PREFER_ENV_PATH", "1")
        NotebookClient(notebook, timeout=300, resources={"metadata": {"path": str(place)}}).execute()
    return code_cells(notebook)


def code_cells(notebook):
    return [cell for cell in notebook.cells if cell.cell_type == "code"]


def shown(cells, start: str):
    """What the cell that starts so shows, as a bundle of formats for each of its outputs."""
    (cell,) = (cell for cell in cells if cell.source.startswith(start))
    return [output.data for output in cell.outputs if "data" in output]


def test_the_notebook_is_kept_without_outputs():
    notebook = nbformat.read(NOTEBOOK, as_version=nbformat.NO_CONVERT)
    nbformat.validate(notebook)
    assert nbformat.writes(notebook) + "\n" == NOTEBOOK.read_text(), "save it as nbformat writes it"
    for cell in code_cells(notebook):
        assert (cell.outputs, cell.execution_count, cell.metadata) == ([], None, {})


def test_every_cell_runs_and_nothing_complains(executed):
    assert [cell.execution_count for cell in executed] == list(range(1, len(executed) + 1))
    outputs = [output for cell in executed for output in cell.outputs]
    assert {output.output_type for output in outputs} <= {"display_data", "execute_result", "stream"}
    assert {output.name for output in outputs if output.output_type == "stream"} == {"stdout"}


def test_a_build_shows_one_picture_of_its_bars(executed):
    bars, runs = shown(executed, "build(")
    assert "looking at the photographs" in bars["text/html"]
    assert "96/96" in bars["text/html"]
    assert "<caption" in runs["text/html"]


@pytest.mark.parametrize(
    ("start", "articles"), [("from dissection.scenes.scene", 1), ("comparison", 2)], ids=["explained", "compared"]
)
def test_an_explanation_is_the_pages_article(start, articles, executed, tmp_path):
    (data,) = shown(executed, start)
    html = data["text/html"]
    assert html.count("<article") == articles
    assert html.count("<img") > articles
    (tmp_path / "article.html").write_text(html)
    assert "The network says" in Page(tmp_path / "article.html").text


def test_what_is_compared_is_marked_and_told_apart(executed):
    (data,) = shown(executed, "comparison")
    assert "rather than" in data["text/html"]


def test_a_figure_is_a_picture(executed):
    (data,) = shown(executed, "explanation.figure()")
    with Image.open(io.BytesIO(base64.b64decode(data["image/png"]))) as picture:
        assert min(picture.size) > 200


def test_what_is_saved_lies_beside_the_notebook(executed, place):
    assert "<article" in (place / "why.html").read_text()
    (data,) = shown(executed, "explanation.save")
    assert "The network says" in data["text/plain"]


def test_many_photographs_are_explained_with_a_bar(executed):
    bar, right = shown(executed, "photographs =")
    assert "explaining" in bar["text/html"]
    assert "12/12" in bar["text/html"]
    assert "predicted right" in right["text/plain"]
