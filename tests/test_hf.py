"""Hugging Face datasets from local files, in each of their forms."""

from __future__ import annotations

import io
import json
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from PIL import Image
from published import SIZE, halves, nearest, noise

datasets = pytest.importorskip("datasets")
pa = pytest.importorskip("pyarrow")

from dissection.concepts.conversion import convert  # noqa: E402
from dissection.concepts.fingerprints import fingerprint  # noqa: E402
from dissection.concepts.formats.hugging_face_rows import HuggingFace  # noqa: E402 (needs the extra)
from dissection.errors import ConceptDataError  # noqa: E402

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

CODES = [halves(1, 2), halves(0, 255), halves(7, 7)]
NAMES = {"0": "background", "1": "road, route", "2": "sky", "7": "traffic_light"}


@pytest.fixture(autouse=True)
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", tmp_path / "cache")


def encoded(pixels: np.ndarray) -> dict[str, Any]:
    stream = io.BytesIO()
    Image.fromarray(pixels.astype(np.uint8)).save(stream, "PNG")
    return {"bytes": stream.getvalue(), "path": None}


def table(masks: list[Any] | None = None, **columns: Any) -> Any:
    masks = masks or [encoded(codes) for codes in CODES]
    rows = {"image": [encoded(noise(seed)) for seed in range(len(masks))], "annotation": masks}
    features = {"image": datasets.Image(), "annotation": datasets.Image()}
    for name, (values, feature) in columns.items():
        rows[name], features[name] = values, feature
    return datasets.Dataset.from_dict(rows, features=datasets.Features(features))


def as_folder(root: Path) -> Path:
    table().save_to_disk(root / "data")
    return root / "data"


def as_splits(root: Path) -> Path:
    rows = table()
    datasets.DatasetDict({"b": rows.select([2]), "a": rows.select([0, 1])}).save_to_disk(root / "data")
    return root / "data"


def as_parquet(root: Path) -> Path:
    (root / "data").mkdir()
    table().select([0, 1]).to_parquet(root / "data" / "train-00000-of-00002.parquet")
    table().select([2]).to_parquet(root / "data" / "train-00001-of-00002.parquet")
    return root / "data"


def as_arrow(root: Path) -> Path:
    as_folder(root)
    file = next((root / "data").glob("*.arrow"))
    return file.rename(root / "rows.arrow")


def named(src: Path, names: dict[str, str]) -> Path:
    folder = src if src.is_dir() else src.parent
    (folder / "id2label.json").write_text(json.dumps(names))
    return src


@pytest.mark.parametrize("write", [as_folder, as_splits, as_parquet, as_arrow])
def test_each_form(tmp_path: Path, write: Callable[[Path], Path], capfd: pytest.CaptureFixture[str]) -> None:
    src = named(write(tmp_path), NAMES)
    capfd.readouterr()
    dataset = HuggingFace(src, label_size=5)
    assert capfd.readouterr() == ("", ""), "the library never prints"
    assert (len(dataset), dataset.categories) == (3, ("object",))
    assert {number: each.name for number, each in dataset.concepts.items()} == {
        1: "road",
        2: "sky",
        3: "traffic light",
    }
    assert dataset.synonyms == {1: ("route",)}
    assert dataset.labels(0).maps.tolist() == [nearest(halves(1, 2), 5)]
    assert not dataset.labels(1).maps.any(), "0 and 255 are not labelled"
    assert dataset.labels(2).maps.tolist() == [nearest(halves(3, 3), 5)]
    for index in range(3):
        assert np.array_equal(dataset.photograph(index), noise(index if write is not as_parquet else index % 3))
    assert all(file.is_file() for file in dataset.files(0))


def test_value_0_may_be_a_concept(tmp_path: Path) -> None:
    dataset = HuggingFace(named(as_folder(tmp_path), {"0": "road", "1": "car", "2": "sky", "7": "pole"}), label_size=5)
    assert dataset.labels(1).maps.tolist() == [nearest(halves(1, 0), 5)]


def test_names_out_of_the_features(tmp_path: Path) -> None:
    there = datasets.List(datasets.ClassLabel(names=["background", *(f"thing_{code}" for code in range(1, 8))]))
    scene = datasets.ClassLabel(names=["street", "beach"])
    rows = table(objects_there=([[1], [2], [7]], there), scene=([0, 1, 0], scene))
    rows.save_to_disk(tmp_path / "data")
    dataset = HuggingFace(tmp_path / "data", label_size=5)
    assert [each.name for each in dataset.concepts.values()] == [f"thing {code}" for code in range(1, 8)]
    assert dataset.labels(2).maps.tolist() == [nearest(halves(7, 7), 5)]


def test_columns_may_be_given(tmp_path: Path) -> None:
    other = (table()["annotation"], datasets.Image())
    named(tmp_path, NAMES)
    table(mask=other).save_to_disk(tmp_path / "data")
    named(tmp_path / "data", NAMES)
    with pytest.raises(ConceptDataError, match=r"image, annotation, mask; exactly one called mask, .* is needed"):
        HuggingFace(tmp_path / "data", label_size=5)
    dataset = HuggingFace(tmp_path / "data", label_size=5, photographs="image", masks="mask")
    assert dataset.labels(0).maps.tolist() == [nearest(halves(1, 2), 5)]
    with pytest.raises(ConceptDataError, match="'photo' is needed"):
        HuggingFace(tmp_path / "data", label_size=5, photographs="photo", masks="mask")


def test_licence_and_citation_come_along(tmp_path: Path) -> None:
    rows = table()
    rows.info.license, rows.info.citation = "CC BY 4.0", "@article{somebody}"
    rows.save_to_disk(tmp_path / "data")
    (tmp_path / "data" / "README.md").write_text("about")
    notes = HuggingFace(named(tmp_path / "data", NAMES), label_size=5).notes
    assert notes == {"ATTRIBUTION.txt": b"CC BY 4.0\n\n@article{somebody}\n", "README.md": b"about"}


def cut(cell: dict[str, Any]) -> dict[str, Any]:
    return cell | {"bytes": cell["bytes"][:60]}


@pytest.mark.parametrize(
    ("mask", "words"),
    [
        (cut(encoded(halves(1, 2))), ["row 0, column annotation", "cut short"]),
        ({"bytes": b"", "path": None}, ["row 0, column annotation", "0 bytes"]),
        (None, ["row 0, column annotation", "holds no image"]),
        ({"bytes": None, "path": "/etc/hostname"}, ["row 0", "out of the folder"]),
        ({"bytes": None, "path": "https://example.org/x.png"}, ["row 0", "holds no image"]),
        (encoded(halves(1, 2).T), ["row 0", "9 pixels wide", "15 by 9"]),
        (encoded(halves(1, 3)), ["row 0", "label 3", "id2label.json"]),
        (encoded(np.zeros((*SIZE, 3))), ["row 0", "mode RGB", "index mask"]),
    ],
)
def test_broken_rows_are_named(tmp_path: Path, mask: Any, words: list[str]) -> None:
    rows = table().cast_column("annotation", datasets.Image(decode=False))
    arrow = rows.data.to_pydict()
    arrow["annotation"][0] = mask
    broken = datasets.Dataset.from_dict(arrow, features=rows.features)
    (tmp_path / "data").mkdir()
    broken.to_parquet(tmp_path / "data" / "rows.parquet") if mask is None else write_arrow(broken, tmp_path / "data")
    dataset = HuggingFace(named(tmp_path / "data", NAMES), label_size=5, photographs="image", masks="annotation")
    with pytest.raises(ConceptDataError) as caught:
        dataset.labels(0)
    assert all(word in str(caught.value) for word in words), caught.value
    assert "\n" not in str(caught.value)


def test_images_in_files_beside_the_rows_are_watched(tmp_path: Path) -> None:
    folder = tmp_path / "data"
    (folder / "masks").mkdir(parents=True)
    cells = [{"bytes": None, "path": f"masks/{number}.png"} for number in range(3)]
    for cell, codes in zip(cells, CODES, strict=True):
        Image.fromarray(codes.astype(np.uint8)).save(folder / cell["path"])
    columns = {"image": [encoded(noise(seed)) for seed in range(3)], "annotation": cells}
    undecoded = datasets.Features({name: datasets.Image(decode=False) for name in columns})
    write_arrow(datasets.Dataset.from_dict(columns, features=undecoded), folder)
    dataset = HuggingFace(named(folder, NAMES), label_size=5)
    assert [file.name for file in dataset.files(1)] == ["rows.arrow", "1.png"]
    assert dataset.labels(0).maps.tolist() == [nearest(halves(1, 2), 5)]
    before = fingerprint(dataset)

    def change(done: int, _total: int) -> None:
        if done == 6:
            Image.fromarray(halves(2, 2).astype(np.uint8)).save(folder / "masks" / "1.png")

    with pytest.raises(ConceptDataError, match=r"masks/1\.png was changed while it was converted"):
        convert(dataset, tmp_path / "new", size=8, label_size=5, min_images=1, progress=change)
    assert fingerprint(dataset) != before
    (folder / "masks" / "1.png").unlink()
    assert [file.name for file in dataset.files(1)] == ["rows.arrow"]


def write_arrow(rows: Any, folder: Path) -> None:
    """Written directly: ``save_to_disk`` would read the files that paths lead to."""
    schema = datasets.Features({name: datasets.Image() for name in rows.features}).arrow_schema
    with pa.OSFile(str(folder / "rows.arrow"), "wb") as sink, pa.ipc.new_stream(sink, schema) as writer:
        writer.write_table(rows.data.table.cast(schema))


@pytest.mark.parametrize(
    ("names", "word"),
    [
        ("{", "is not JSON"),
        ("[1]", "it must hold something like"),
        ('{"one": "x"}', "'one'"),
        ('{"1": 5}', "'5'"),
        (None, "id2label"),
    ],
)
def test_broken_names_are_named(tmp_path: Path, names: str | None, word: str) -> None:
    src = as_folder(tmp_path)
    if names is not None:
        (src / "id2label.json").write_text(names)
    with pytest.raises(ConceptDataError, match=word):
        HuggingFace(src, label_size=5)


@pytest.mark.parametrize(
    ("spoil", "word"),
    [
        (lambda src: next(src.glob("*.arrow")).write_bytes(b"no"), "not a readable dataset"),
        (lambda src: (src / "state.json").write_text("{"), "not a readable dataset"),
        (lambda src: next(src.glob("*.arrow")).unlink(), "no .arrow"),
        (lambda src: src.rename(src.parent / "moved"), "no such file"),
    ],
)
def test_broken_data_is_named(tmp_path: Path, spoil: Callable[[Path], None], word: str) -> None:
    src = named(as_folder(tmp_path), NAMES)
    spoil(src)
    with pytest.raises(ConceptDataError, match=word) as caught:
        HuggingFace(src, label_size=5)
    assert "\n" not in str(caught.value)
