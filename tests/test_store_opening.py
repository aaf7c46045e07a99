"""Opening says what is wrong, in one line, and makes nothing by mistake."""

from __future__ import annotations

import sqlite3
from typing import TYPE_CHECKING

import pytest
import store_cases as cases
from sqlalchemy import create_engine, inspect, text

from db import NameStore, SchemaError, StoreError
from db.location import Location

if TYPE_CHECKING:
    from pathlib import Path

where = cases.where


def said(error: pytest.ExceptionInfo[StoreError]) -> str:
    message = str(error.value)
    assert "\n" not in message
    return message


def test_a_mistyped_path_makes_no_database(tmp_path: Path) -> None:
    with pytest.raises(StoreError) as caught:
        NameStore.open(tmp_path / "nmaes.db")
    assert "nmaes.db does not exist: build a database with `neuronexplain build" in said(caught)
    assert list(tmp_path.iterdir()) == []


def test_a_folder_is_no_database(tmp_path: Path) -> None:
    for way in (NameStore.open, NameStore.create):
        with pytest.raises(StoreError) as caught:
            way(tmp_path)
        assert str(tmp_path) in said(caught)


def test_a_missing_folder_is_not_made(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="missing does not exist: make it first"):
        NameStore.create(tmp_path / "missing" / "names.db")
    assert list(tmp_path.iterdir()) == []


def test_another_kind_of_file_is_left_alone(tmp_path: Path) -> None:
    photograph = tmp_path / "photo.jpg"
    photograph.write_bytes(b"\xff\xd8\xff\xe0 no database" * 100)
    for way in (NameStore.open, NameStore.create):
        with pytest.raises(StoreError) as caught:
            way(photograph)
        assert "photo.jpg: it is not an SQLite database" in said(caught)
    assert photograph.read_bytes() == b"\xff\xd8\xff\xe0 no database" * 100


@pytest.mark.parametrize(
    "statements", [[], ["CREATE TABLE birds (name)"], ["CREATE TABLE meta (k, v)", "CREATE TABLE runs (id)"]]
)
def test_a_database_of_something_else_holds_no_names(tmp_path: Path, statements: list[str]) -> None:
    path = tmp_path / "birds.db"
    with sqlite3.connect(path) as connection:
        for statement in statements:
            connection.execute(statement)
    connection.close()
    path.touch()
    before = path.read_bytes()
    with pytest.raises(StoreError, match=r"birds\.db holds no names: build them"):
        NameStore.open(path)
    assert path.read_bytes() == before


def test_tables_of_something_else_are_not_written_to(where: str) -> None:
    NameStore.create(where).close()
    engine = create_engine(Location.of(where).url)
    with engine.begin() as connection:
        connection.execute(text("DROP TABLE meta"))
    engine.dispose()
    with pytest.raises(StoreError, match=r"holds tables of something else \(classes, concepts, exemplars"):
        NameStore.create(where)


def test_an_empty_file_becomes_a_database(tmp_path: Path) -> None:
    path = tmp_path / "names.db"
    path.touch()
    with NameStore.create(path) as store:
        assert store.runs() == []


@pytest.mark.parametrize("name", ["names.db", "a name?with #100% odd & signs", "näme.db", "file:x.db"])
def test_paths_are_taken_as_they_are(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    NameStore.create(path).close()
    assert [file.name for file in tmp_path.iterdir()] == [name]
    with NameStore.open(str(path)) as store:
        assert store.runs() == []
        assert name in repr(store)


def test_a_relative_path_and_a_url_name_the_same_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    NameStore.create("names.db").close()
    for same in ("sqlite:///names.db", f"sqlite:///{tmp_path}/names.db"):
        NameStore.open(same).close()


@pytest.mark.parametrize(("found", "remedy"), [("3", "update NeuronExplain"), ("1", "build its runs again")])
def test_another_schema_is_refused(where: str, found: str, remedy: str) -> None:
    NameStore.create(where).close()
    engine = create_engine(Location.of(where).url)
    with engine.begin() as connection:
        connection.execute(text("UPDATE meta SET value = :found"), {"found": found})
    engine.dispose()
    for way in (NameStore.open, NameStore.create):
        with pytest.raises(SchemaError) as caught:
            way(where)
        assert f"is of schema version {found}, this NeuronExplain reads version 2: {remedy}" in said(caught)


def test_creating_twice_changes_nothing(where: str) -> None:
    with NameStore.create(where) as first, NameStore.create(where) as second:
        run = first.publish(cases.run_of(cases.small_dissection()), cases.small_dissection())
        assert second.runs() == [run]


def test_sqlite_refuses_values_of_another_type(tmp_path: Path) -> None:
    NameStore.create(tmp_path / "names.db").close()
    with sqlite3.connect(tmp_path / "names.db") as connection:
        tables = {name: strict for _, name, *_, strict in connection.execute("PRAGMA table_list")}
        wanted = {"meta", "runs", "concepts", "units", "overlaps", "exemplars", "pictures", "classes", "importances"}
        assert {name for name, strict in tables.items() if strict} == wanted
    connection.close()


def test_foreign_keys_hold(where: str) -> None:
    with NameStore.create(where) as store:
        with pytest.raises(StoreError, match=r"(?i)foreign key"), store._reading() as connection:
            connection.execute(text("INSERT INTO units (run, number, threshold) VALUES (1, 0, 0.5)"))
        assert len(inspect(store._engine).get_foreign_keys("overlaps")) == 3


@pytest.mark.parametrize("url", ["sqlite://", "sqlite:///:memory:", ":memory:"])
def test_a_database_in_memory_is_refused(url: str) -> None:
    with pytest.raises(StoreError, match="is a database in memory: names are kept in a file"):
        NameStore.create(url)


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://ann:s3cret@127.0.0.1:1/names",
        "postgresql+psycopg://ann@127.0.0.1:1/names?password=s3cret",
        "nosuchdatabase://ann:s3cret@host/names",
        "postgresql://ann:s3cret@host:notaport/names",
        "mysql+mysqldb://ann:s3cret@host/names",
    ],
)
def test_no_message_shows_a_password(url: str) -> None:
    for way in (NameStore.open, NameStore.create):
        with pytest.raises(StoreError) as caught:
            way(url)
        assert "s3cret" not in said(caught)
        assert "names" in said(caught)
