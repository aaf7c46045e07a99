"""Opening says what is wrong, in one line, and makes nothing by mistake."""

from __future__ import annotations

import sqlite3
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import pytest
import store_cases as cases
from sqlalchemy import create_engine, inspect, text

from db import NameStore, SchemaError, StoreError
from db.location import Location
from db.schema import SINCE, is_in, metadata

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
    with pytest.raises(StoreError, match=r"holds tables of something else \(bodies, class_statistics, classes, "):
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


@pytest.mark.parametrize(("found", "remedy"), [("7", "update NeuronExplain"), ("1", "build its runs again")])
def test_another_schema_is_refused(where: str, found: str, remedy: str) -> None:
    NameStore.create(where).close()
    engine = create_engine(Location.of(where).url)
    with engine.begin() as connection:
        connection.execute(text("UPDATE meta SET value = :found"), {"found": found})
    engine.dispose()
    for way in (NameStore.open, NameStore.create):
        with pytest.raises(SchemaError) as caught:
            way(where)
        assert f"is of schema version {found}, this NeuronExplain reads versions 2 to 6: {remedy}" in said(caught)


def test_creating_twice_changes_nothing(where: str) -> None:
    with NameStore.create(where) as first, NameStore.create(where) as second:
        run = first.publish(cases.run_of(cases.small_dissection()), cases.small_dissection())
        assert second.runs() == [run]


def test_sqlite_refuses_values_of_another_type(tmp_path: Path) -> None:
    NameStore.create(tmp_path / "names.db").close()
    with sqlite3.connect(tmp_path / "names.db") as connection:
        tables = {name: strict for _, name, *_, strict in connection.execute("PRAGMA table_list")}
        assert {name for name, strict in tables.items() if strict} == set(metadata.tables)
    connection.close()


def test_foreign_keys_hold(where: str) -> None:
    with NameStore.create(where) as store:
        with pytest.raises(StoreError, match=r"(?i)foreign key"), store._moment() as connection:
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


OLD = {
    2: cases.small_dissection(),
    3: cases.without_shown(cases.proven_dissection()),
    4: cases.proven_dissection(),
    5: cases.without_responses(cases.composed_dissection()),
}


def as_of(version: int, where: str) -> None:
    """Take away from a database what later schemas have added."""
    engine = create_engine(Location.of(where).url)
    with engine.begin() as connection:
        metadata.drop_all(connection, [table for table in SINCE if not is_in(table, version)])
        connection.execute(text(f"UPDATE meta SET value = '{version}'"))
    engine.dispose()


@pytest.fixture(params=OLD)
def version(request: pytest.FixtureRequest) -> int:
    return int(request.param)


@pytest.fixture
def old(version: int, where: str) -> str:
    """A database of an older schema, with one run."""
    with NameStore.create(where) as store:
        run = cases.run_of(OLD[version], schema=version)
        store.publish(run, OLD[version], cases.small_importances(), {7: b"jpeg"})
    as_of(version, where)
    return where


def contents(where: str, version: int) -> dict[str, object]:
    """All rows of the tables of a schema, and which later ones there are."""
    engine = create_engine(Location.of(where).url)
    with engine.connect() as connection:
        tables = [table for table in metadata.sorted_tables if is_in(table, version)]
        rows = {table.name: connection.execute(table.select()).all() for table in tables}
        there = set(inspect(connection).get_table_names())
    engine.dispose()
    return rows | {"added": there & added(version)}


def added(version: int) -> set[str]:
    return {table.name for table in SINCE if not is_in(table, version)}


def answers(store: NameStore, version: int) -> None:
    (run,) = store.runs()
    assert (run.key.schema, run.draws, run.licence) == (version, OLD[version].draws, "")
    assert store.find(run.key) == store.run_for(run.key.network) == store.run(run.id) == run
    assert store.dissection(run) == store.whole(run).dissection == OLD[version]
    assert [store.unit(run, number) for number in range(6)] == list(OLD[version].units)
    assert all(map(cases.same, store.whole(run).importances, cases.small_importances()))
    assert cases.same(store.importance(run, 1), cases.small_importances()[1])
    assert store.picture(run, 7) == b"jpeg"
    assert len(store.concepts_of(run, 0)) == 3
    assert len(store.classes_for(run, "sky")) == 2


def test_an_old_database_answers_as_before(old: str, version: int) -> None:
    before = contents(old, version)
    with NameStore.open(old) as store:
        answers(store, version)
    assert contents(old, version) == before
    assert before["added"] == set()


def test_an_old_database_is_gone_on_with(old: str, version: int) -> None:
    before = contents(old, version)
    with NameStore.open(old) as reader, NameStore.create(old) as store, NameStore.create(old):
        answers(store, version)
        after = contents(old, version)
        assert after == before | {"added": added(version), "meta": [("schema", "6")]}
        new = cases.proven_dissection()
        run = store.publish(cases.run_of(new, network="new"), new)
        for one in (store, reader):  # the reader opened the database before it had more tables
            assert one.dissection(run) == new
            assert [one.unit(run, number) for number in range(6)] == list(new.units)
            assert [kept.key.schema for kept in one.runs()] == [version, 6]
        store.delete(run)
        answers(store, version)


def test_a_run_of_schema_3_is_not_made_again_for_what_its_exemplars_show(where: str) -> None:
    with NameStore.create(where) as store:
        held = store.publish(cases.run_of(OLD[3], schema=3), OLD[3])
        new = cases.proven_dissection()
        assert store.find(cases.run_of(new).key) == held
        assert store.publish(cases.run_of(new), new) == held
        assert store.dissection(held) == OLD[3]


def test_a_run_of_schema_5_is_made_again_for_how_its_units_respond_to_formulas(where: str) -> None:
    with NameStore.create(where) as store:
        held = store.publish(cases.run_of(OLD[5], schema=5), OLD[5])
        new = cases.composed_dissection()
        assert store.find(cases.run_of(new).key) is None
        run = store.publish(cases.run_of(new), new)
        assert [store.dissection(one) for one in (held, run)] == [OLD[5], new]
        assert store.unit(run, 0) == new.units[0]


def test_tables_stay_where_one_of_something_else_is_in_the_way(old: str, version: int) -> None:
    engine = create_engine(Location.of(old).url)
    with engine.begin() as connection:
        connection.execute(text("CREATE TABLE formula_maps (name TEXT)"))
    engine.dispose()
    before = contents(old, version)
    for way in (NameStore.create, NameStore.open):
        with pytest.raises(StoreError, match=r"holds the table formula_maps, which NeuronExplain does not make"):
            way(old)
    assert contents(old, version) == before


def test_a_database_is_brought_to_the_newest_schema_whole_or_not_at_all(
    old: str, version: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = contents(old, version)

    def stop(_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr("db.engines.update", stop)
        with pytest.raises(KeyboardInterrupt):
            NameStore.create(old)
    assert contents(old, version) == before


def test_several_may_bring_a_database_to_the_newest_schema_at_once(old: str, version: int) -> None:
    def create(_: int) -> None:
        with NameStore.create(old) as store:
            answers(store, version)

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(create, range(8)))
    assert contents(old, version)["meta"] == [("schema", "6")]
