"""A database of a stranger, or a damaged one: the right answer or one line, within seconds, and nothing runs."""

from __future__ import annotations

import random
import sqlite3
import time
from typing import TYPE_CHECKING, Any

import pytest
import store_cases as cases
from alarms import StopError, stopping
from shapes import unchecked
from sharing_cases import lax, proven, publish, small
from sqlalchemy import create_engine, text

from db import NameStore, StoreError
from db.errors import RunNotFoundError
from db.location import Location
from dissection.errors import NeuronExplainError

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

where = cases.where

ENDLESS = "WITH RECURSIVE endless(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM endless) SELECT count(*) FROM endless"


@pytest.fixture
def names(tmp_path: Path) -> Path:
    path = tmp_path / "names.db"
    with NameStore.create(path) as store:
        publish(store, small(schema=2))
        publish(store, proven())
    return path


def changed(path: Path, *statements: str) -> None:
    """Run statements on a database as its owner can."""
    connection = sqlite3.connect(path, isolation_level=None)
    for statement in statements:
        connection.execute(statement)
    connection.close()


SCHEMAS = {
    "endless view": (
        ("ALTER TABLE units RENAME TO old", f"CREATE VIEW units AS {ENDLESS}"),
        "has another table (evidence|compositions)",  # which refers to the table by its new name
    ),
    "view beside": ((f"CREATE VIEW more AS {ENDLESS}",), "holds the view more, which NeuronExplain does not make"),
    "trigger": (
        ("CREATE TRIGGER t AFTER INSERT ON runs BEGIN UPDATE concepts SET name = 'x'; END",),
        "holds the trigger t, which NeuronExplain does not make",
    ),
    "view for the version": (
        ("ALTER TABLE meta RENAME TO old", f"CREATE VIEW meta AS SELECT 'schema' name, ({ENDLESS}) value"),
        "holds no names|tables of something else",
    ),
    "another table": (("CREATE TABLE more (x)",), "holds the table more"),
    "virtual table": (("CREATE VIRTUAL TABLE more USING fts5(x)",), "holds the table more"),
    "another index": (("CREATE INDEX more ON runs (network)",), "holds the index more"),
    "lost table": (("PRAGMA foreign_keys = OFF", "DROP TABLE quarters"), "lacks the table quarters"),
    "lost index": (("DROP INDEX best_overlaps",), "lacks the index best_overlaps"),
    "computed column": (
        ("ALTER TABLE concepts ADD COLUMN more TEXT AS (name || 'x')",),
        "has another table concepts than NeuronExplain makes",
    ),
    "default": (("ALTER TABLE classes ADD COLUMN more TEXT DEFAULT 'x'",), "has another table classes"),
    "comparison without case": (
        (
            "PRAGMA writable_schema = ON",
            "UPDATE sqlite_master SET sql = replace(sql, 'spoken TEXT', 'spoken TEXT COLLATE NOCASE')",
        ),
        "has another table concepts",
    ),
    "index of something else": (
        ("DROP INDEX best_overlaps", "CREATE INDEX best_overlaps ON overlaps (run, unit) WHERE rank = 1"),
        "has another index best_overlaps",
    ),
}


@pytest.mark.parametrize("schema", SCHEMAS)
def test_only_our_own_tables_are_opened(schema: str, names: Path, run: Callable[..., Any]) -> None:
    statements, message = SCHEMAS[schema]
    changed(names, *statements)
    before, began = names.read_bytes(), time.thread_time()
    for way in (NameStore.open, NameStore.create):
        with pytest.raises(StoreError, match=message) as told:
            way(names)
        assert "\n" not in str(told.value)
    assert names.read_bytes() == before
    status, _, err = run("units", "--db", names)
    assert (status, err.count("\n")) == (2, 1)
    assert time.thread_time() - began < 5


def test_what_sqlite_itself_makes_is_no_stranger(names: Path) -> None:
    changed(names, "ANALYZE", "VACUUM")
    with NameStore.open(names) as store:
        assert len(store.runs()) == 2


@pytest.mark.parametrize(
    "statements",
    [
        ["ALTER TABLE units RENAME TO old", "CREATE VIEW units AS SELECT * FROM old"],
        ["CREATE RULE more AS ON INSERT TO concepts DO INSTEAD NOTHING"],
        [
            "CREATE FUNCTION f() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN NEW.name = ''x''; RETURN NEW; END'",
            "CREATE TRIGGER t BEFORE INSERT ON concepts FOR EACH ROW EXECUTE FUNCTION f()",
        ],
        ["ALTER TABLE quarters DROP COLUMN hits"],
        ["ALTER TABLE quarters ALTER COLUMN hits TYPE text"],
        ["DROP TABLE quarters"],
    ],
)
@pytest.mark.parametrize("where", ["postgresql"], indirect=True)
def test_on_a_server_our_names_are_tables_of_ours(where: str, statements: list[str]) -> None:
    with NameStore.create(where) as store:
        publish(store, proven())
    engine = create_engine(Location.of(where).url)
    with engine.begin() as connection:
        connection.execute(text("CREATE TABLE birds (name text)"))  # somebody else's, as is usual on a server
    with NameStore.open(where) as store:
        assert len(store.runs()) == 1
    with engine.begin() as connection:
        for statement in statements:
            connection.execute(text(statement))
    engine.dispose()
    for way in (NameStore.open, NameStore.create):
        with pytest.raises(StoreError, match=r"NeuronExplain makes|NeuronExplain does not make|lacks the table"):
            way(where)


@pytest.mark.parametrize("way", [NameStore.open, NameStore.create])
def test_a_definition_that_is_not_utf_8_is_damage(names: Path, way: Callable[[Path], NameStore]) -> None:
    content = names.read_bytes()
    place = content.index(b"CREATE TABLE concepts") + 2  # SQLite quotes the word in its message
    names.write_bytes(content[:place] + b"\xd4" + content[place + 1 :])
    with pytest.raises(StoreError, match=r"names\.db: it is damaged, it holds text that is not UTF-8"), way(names):
        pass


def test_files_are_not_trusted(names: Path) -> None:
    with NameStore.open(names) as store, store._moment() as connection:
        settings = {
            name: connection.exec_driver_sql(f"PRAGMA {name}").scalar()
            for name in ("trusted_schema", "cell_size_check", "foreign_keys", "query_only")
        }
    assert settings == {"trusted_schema": 0, "cell_size_check": 1, "foreign_keys": 1, "query_only": 1}


def test_a_question_without_an_end_is_given_up(names: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("db.time_limit.LONGEST", 0.2)
    for way in (NameStore.open, NameStore.create):
        with way(names) as store:
            busy = r"a query on .*names\.db takes more than 0\.2 seconds"
            with pytest.raises(StoreError, match=busy), store._moment() as connection:
                connection.exec_driver_sql(ENDLESS)
            assert len(store.runs()) == 2  # and the connection serves on


@pytest.mark.parametrize("delay", [0.05, 0.0503, 0.0507, 0.051])
def test_a_signal_is_heard_while_a_question_is_busy(names: Path, delay: float) -> None:
    with NameStore.open(names) as store:
        with pytest.raises(StopError), stopping(delay), store._moment() as connection:
            connection.exec_driver_sql(ENDLESS)
        assert len(store.runs()) == 2


def test_a_value_of_any_size_is_not_read(names: Path) -> None:
    changed(names, f"UPDATE pictures SET jpeg = zeroblob({2**26 + 1}) WHERE number = 7")
    with NameStore.open(names) as store, pytest.raises(StoreError, match="no value that we keep is as large"):
        store.whole(store.runs()[0])


TYPES = [
    "UPDATE overlaps SET intersection = 'many' WHERE unit = 0",
    "UPDATE overlaps SET iou = 'much' WHERE unit = 0",
    "UPDATE units SET threshold = NULL WHERE number = 5",
    "UPDATE concepts SET name = x'ff'",
    "UPDATE concepts SET name = CAST(x'ff' AS TEXT)",
    "UPDATE classes SET label = x'07'",
    "UPDATE runs SET images = 'many'",
    "UPDATE runs SET created = 'yesterday'",
    "UPDATE runs SET source = '['",
    "UPDATE exemplars SET activation = 'strong'",
]


@pytest.mark.parametrize("statement", TYPES)
@unchecked()
def test_values_have_their_columns_types(statement: str, tmp_path: Path) -> None:
    with NameStore.create(tmp_path / "names.db") as store:
        publish(store, small(schema=2))  # without a checksum
    lax(tmp_path / "names.db", statement)
    with NameStore.open(tmp_path / "names.db") as store:
        with pytest.raises(StoreError, match=r"of the wrong type|is damaged") as told:
            store.whole(store.runs()[0])
        assert "\n" not in str(told.value)


@pytest.mark.parametrize("shown", ["x'00'", "x'0000000000000000'", "zeroblob(16)", "'many'", "NULL"])
@unchecked()
def test_what_exemplars_show_is_read_as_data(shown: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with NameStore.create(tmp_path / "names.db") as store:
        publish(store, proven())
    lax(tmp_path / "names.db", f"UPDATE exemplar_concepts SET concepts = {shown} WHERE unit = 1")
    monkeypatch.setattr("db.reading._agrees", lambda *_: True)  # whoever lies can make the checksum as well
    with NameStore.open(tmp_path / "names.db") as store:
        (run,) = store.runs()
        for ask in (store.dissection, store.whole, lambda of: store.unit(of, 1)):
            with pytest.raises(StoreError, match=r"of the wrong type|is damaged") as told:
                ask(run)
            assert "\n" not in str(told.value)


QUESTIONS: dict[str, Callable[[NameStore, Any], Any]] = {
    "names": lambda store, run: store.names(run),
    "unit": lambda store, run: [store.unit(run, number) for number in range(6)],
    "thresholds": lambda store, run: store.thresholds(run).tolist(),
    "units named": lambda store, run: store.units_named(run, "sky"),
    "dissection": lambda store, run: store.dissection(run),
    "class images": lambda store, run: dict(store.class_images(run)),
    "importance": lambda store, run: [store.importance(run, number).alphas.tolist() for number in (0, 1)],
    "lit contributions": lambda store, run: store.lit_contributions(run),
    "concepts of": lambda store, run: store.concepts_of(run, 0),
    "classes for": lambda store, run: store.classes_for(run, "sky"),
    "picture": lambda store, run: [store.picture(run, number) for number in (2, 7)],
    "whole": lambda store, run: (whole := store.whole(run)).dissection and (whole.run, dict(whole.pictures)),
}


def answers(path: Path) -> dict[str, Any]:
    """What a database says of its run, to each question as if it were the first; of a refusal the line."""
    said: dict[str, Any] = {}
    try:
        with NameStore.open(path) as store:
            for name, question in QUESTIONS.items():
                store._unchanged.clear()  # what an earlier question has checked
                try:
                    run = store.choose()
                    said[name] = (run, question(store, run))
                except NeuronExplainError as error:
                    said[name] = error
    except NeuronExplainError as error:
        said = dict.fromkeys(QUESTIONS, error)
    assert not [answer for answer in said.values() if "\n" in str(answer) and isinstance(answer, Exception)]
    return said


@pytest.fixture(scope="module")
def stored(tmp_path_factory: pytest.TempPathFactory) -> tuple[bytes, dict[str, Any]]:
    """A database with everything that a run keeps, and what it says."""
    path = tmp_path_factory.mktemp("stored") / "names.db"
    with NameStore.create(path) as store:
        publish(store, proven())
    right = answers(path)
    assert not [answer for answer in right.values() if isinstance(answer, Exception)]
    return path.read_bytes(), right


def test_a_damaged_page_changes_no_answer_without_a_word(stored: tuple[bytes, dict[str, Any]], tmp_path: Path) -> None:
    damaged, (content, right) = tmp_path / "damaged.db", stored
    dice, refused, same = random.Random(13), 0, 0
    for _ in range(60):
        mutated = bytearray(content)
        page = 4096 * dice.randrange(len(content) // 4096)
        for _ in range(dice.choice((1, 1, 4, 64))):
            # Half of the damage is where a page says what is where.
            mutated[page + dice.randrange(dice.choice((120, 4096)))] = dice.randrange(256)
        if dice.random() < 0.1:
            mutated[page : page + 4096] = bytes(4096)
        damaged.write_bytes(mutated)
        for name, answer in answers(damaged).items():
            if isinstance(answer, Exception):
                refused += 1
            else:
                assert answer[1] == right[name][1], (page, name)
                same += 1
    assert refused > 100
    assert same > 50


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE concepts SET name = 'sea', spoken = 'sea' WHERE number = 1",
        "UPDATE units SET threshold = 7",
        "UPDATE overlaps SET iou = 0.9 WHERE rank = 0",
        "UPDATE classes SET label = 'sea'",
        "UPDATE classes SET images = 99 WHERE images IS NOT NULL",
        "UPDATE class_statistics SET lits = alpha_squares",
        "UPDATE runs SET images = 7",
        "UPDATE runs SET constant_alphas = 1",
        "UPDATE runs SET key_quantile = 0.1",
        "UPDATE provenance SET control = 5",
    ],
)
def test_what_was_changed_by_hand_is_no_answer(
    statement: str, stored: tuple[bytes, dict[str, Any]], tmp_path: Path
) -> None:
    path, (content, right) = tmp_path / "names.db", stored
    path.write_bytes(content)
    changed(path, statement)
    said = answers(path)
    assert said != right
    for name, answer in said.items():
        if not isinstance(answer, RunNotFoundError):
            assert isinstance(answer, StoreError) or answer[1] == right[name][1]
    assert "was changed or damaged since it was stored" in str(said["whole"])
