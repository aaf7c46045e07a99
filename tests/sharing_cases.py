"""Runs to share, and ways to spoil them."""

from __future__ import annotations

import io
import json
import re
import sqlite3
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

import pytest
import store_cases as cases
from PIL import Image

from db import NameStore, StoreError, WholeRun
from db.exchange.plain_files import read_folder, read_json, write_json

if TYPE_CHECKING:
    from collections.abc import Callable


def jpeg(colour: int, size: tuple[int, int] = (8, 6)) -> bytes:
    stream = io.BytesIO()
    Image.new("RGB", size, (colour, 0, 0)).save(stream, "JPEG")
    return stream.getvalue()


def small(**key: Any) -> WholeRun:
    dissection = cases.small_dissection()
    return WholeRun(
        cases.run_of(dissection, **key), dissection, tuple(cases.small_importances()), {7: jpeg(9), 2: jpeg(200)}
    )


def proven(**key: Any) -> WholeRun:
    """A run with everything that a store keeps."""
    dissection = cases.proven_dissection()
    run = replace(cases.run_of(dissection, **key), licence="CC BY 4.0\nby Ada")
    importances = [cases.small_importances()[0], cases.with_statistics(cases.small_importances()[1])]
    return WholeRun(run, dissection, tuple(importances), {7: jpeg(9), 2: jpeg(200)})


def composed(**key: Any) -> WholeRun:
    """The same with formulas of several concepts."""
    dissection = cases.composed_dissection()
    return replace(proven(), run=cases.run_of(dissection, **key), dissection=dissection)


def publish(store: NameStore, whole: WholeRun) -> WholeRun:
    return store.whole(store.publish(whole.run, whole.dissection, whole.importances, whole.pictures))


def spoilt(change: Callable[[dict[str, Any]], object], whole: Callable[[], WholeRun] = small) -> bytes:
    """A file of one run, changed."""
    stored = json.loads(good(whole))
    change(stored["runs"][0])
    return json.dumps(stored).encode()


def good(whole: Callable[[], WholeRun] = small) -> bytes:
    with TemporaryDirectory() as folder:
        file = Path(folder) / "names.json"
        write_json(file, [whole()])
        return file.read_bytes()


def refused(path: Path, message: str, tmp_path: Path) -> None:
    """Importing raises one line and leaves the database's bytes as they were."""
    with NameStore.create(tmp_path / "names.db") as store:
        publish(store, small(network="kept"))
    before = (tmp_path / "names.db").read_bytes()
    with pytest.raises(StoreError, match=message) as error, NameStore.create(tmp_path / "names.db") as store:
        store.adopt((read_folder if path.is_dir() else read_json)(path)[0])
    assert len(str(error.value)) < 600
    assert "\n" not in str(error.value)
    assert (tmp_path / "names.db").read_bytes() == before


def lax(path: Path, statement: str) -> None:
    """Run a statement on tables that take anything, as somebody's own tool can; then they look like ours again."""
    with sqlite3.connect(path) as database:
        ours = database.execute("SELECT sql, name FROM sqlite_master WHERE sql LIKE '%STRICT%'").fetchall()
    anything = [(re.sub(r"NOT NULL|STRICT,?", "", sql).rstrip(" ,\n"), name) for sql, name in ours]
    redefine(path, anything)
    with sqlite3.connect(path) as database:
        assert database.execute(statement).rowcount
    redefine(path, ours)


def redefine(path: Path, definitions: list[tuple[str, str]]) -> None:
    database = sqlite3.connect(path, isolation_level=None)
    database.execute("PRAGMA writable_schema = ON")
    database.executemany("UPDATE sqlite_master SET sql = ? WHERE type = 'table' AND name = ?", definitions)
    database.close()
