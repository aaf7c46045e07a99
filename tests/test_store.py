"""The store returns what was published, and only for the run in question."""

from __future__ import annotations

import hashlib
import json
import struct
import subprocess
import sys
from dataclasses import asdict, replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import store_cases as cases
from hypothesis import HealthCheck, given, settings
from sqlalchemy import delete, select, update

import db
from db import NameStore, Run, RunNotFoundError, StoreError, engines, schema
from db.records import WholeRun
from db.schema import importances

if TYPE_CHECKING:
    from sqlalchemy import Executable, Table

    from db import ClassImportance
    from dissection.vocabulary import Dissection

where = cases.where


@given(published=cases.published())
@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_everything_comes_back_equal(where: str, published: tuple[Run, Dissection, list[ClassImportance]]) -> None:
    run, dissection, importances = published
    pictures = {unit.exemplars[0].index: bytes([unit.number, 0, 255]) for unit in dissection.units if unit.exemplars}
    with NameStore.create(where) as store:  # the same database for all examples: each takes its run away again
        kept = store.publish(run, dissection, importances, pictures)
        try:
            assert kept == replace(run, id=kept.id, created=kept.created)
            assert store.run(kept.id) == store.find(run.key) == kept
            assert store.dissection(kept) == store.whole(kept).dissection == dissection
            assert repr(store.dissection(kept)).replace("-0.0", "0.0") == repr(dissection).replace("-0.0", "0.0")
            assert [store.unit(kept, unit.number) for unit in dissection.units] == list(dissection.units)
            for min_iou in (0.0, 0.05, 0.5):
                assert store.names(kept, min_iou) == dissection.names(min_iou)
            assert store.thresholds(kept).tolist() == [unit.threshold for unit in dissection.units]
            assert all(cases.same(store.importance(kept, given.index), given) for given in importances)
            assert store.class_images(kept) == {given.index: given.images for given in importances}
            assert all(store.picture(kept, image) == jpeg for image, jpeg in pictures.items())
        finally:
            store.delete(kept)
        assert store.find(run.key) is None


def test_results_hold_no_numpy_scalars(where: str) -> None:
    with NameStore.create(where) as store:
        dissection = cases.proven_dissection()
        run = store.publish(cases.run_of(dissection), dissection, cases.small_importances())
        store.concepts_of(run, 0)
        values = [asdict(store.dissection(run)), *map(asdict, store.concepts_of(run, 0))]
        values += [asdict(found) for found in store.classes_for(run, "sky")]
        values.append({name: asdict(found) for name, found in store.names(run).items()})
    assert {type(leaf).__module__ for value in values for leaf in leaves(value)} == {"builtins"}


def leaves(value: object) -> list[object]:
    if isinstance(value, dict):
        return [leaf for item in value.items() for part in item for leaf in leaves(part)]
    if isinstance(value, list | tuple):
        return [leaf for part in value for leaf in leaves(part)]
    return [value]


def test_the_thresholds_are_doubles_by_unit(where: str) -> None:
    with NameStore.create(where) as store:
        run = publish(store)
        thresholds = store.thresholds(run)
    assert thresholds.dtype == np.float64
    assert thresholds.tolist() == [0.1, 1.1, 2.1, 3.1, 4.1, 5.1]


def test_infinite_thresholds_are_kept(where: str) -> None:
    dissection = cases.small_dissection()
    dissection = replace(
        dissection, units=(replace(dissection.units[0], threshold=float("inf")), *dissection.units[1:])
    )
    with NameStore.create(where) as store:
        run = store.publish(cases.run_of(dissection), dissection)
        assert store.thresholds(run)[0] == float("inf")
        assert store.dissection(run) == dissection


def test_a_run_knows_its_time_in_utc(where: str) -> None:
    before = datetime.now(UTC)
    with NameStore.create(where) as store:
        run = publish(store)
        again = store.run(run.id)
    assert before <= run.created <= datetime.now(UTC)
    assert again.created == run.created
    assert again.created.utcoffset() == timedelta(0)


def test_the_same_key_is_the_same_run(where: str) -> None:
    with NameStore.create(where) as store:
        first = publish(store)
        renamed = replace(cases.run_of(cases.small_dissection()), network="another name for it")
        assert store.publish(renamed, cases.small_dissection()) == first
        assert store.runs() == [first]


def test_several_runs_are_published_together_or_not_at_all(where: str) -> None:
    dissection = cases.small_dissection()
    one, two = (WholeRun(cases.run_of(dissection, network=name), dissection) for name in ("one", "two"))
    beyond = replace(two, run=replace(two.run, layer=replace(two.run.layer, units=99)))
    with NameStore.create(where) as store:
        with pytest.raises(StoreError):
            store.publish_all([one, beyond])
        with pytest.raises(StoreError):
            store.publish_all([one, replace(two, run=replace(two.run, source={"a": object()}))])
        assert store.runs() == []
        first = store.publish_all([one])
        assert store.publish_all([one, two]) == [*first, store.run_for("two")]
        assert len(store.runs()) == 2


def test_any_part_of_the_key_makes_another_run(where: str) -> None:
    parts = ("network", "concepts", "preprocessing", "upsampling", "evidence")
    with NameStore.create(where) as store:
        kept = [publish(store), *(publish(store, **{part: "other"}) for part in parts), publish(store, schema=2)]
        proven = cases.proven_dissection()
        kept += [store.publish(cases.run_of(changed), changed) for changed in (proven, replace(proven, draws=9))]
        assert store.runs() == kept
        assert len({run.id for run in kept}) == 4 + len(parts)


def test_one_run_does_not_show_in_another(where: str) -> None:
    dissection = cases.small_dissection()
    unnamed = replace(dissection, units=tuple(replace(unit, overlaps=()) for unit in dissection.units))
    with NameStore.create(where) as store:
        named = publish(store)
        other = store.publish(cases.run_of(unnamed, network="other"), unnamed)
        assert store.names(other) == {}
        assert store.dissection(other) == unnamed
        store.delete(other)
        assert store.dissection(named) == dissection


def test_a_stranger_run_is_refused(where: str) -> None:
    with NameStore.create(where) as store:
        run = publish(store)
        stranger = replace(run, key=replace(run.key, network="of another database"))
        for ask in (store.dissection, store.names, store.thresholds, store.delete):
            with pytest.raises(RunNotFoundError, match="does not hold run 1 of vgg16"):
                ask(stranger)
        assert store.runs() == [run]


def test_a_deleted_run_s_number_is_not_given_again(where: str) -> None:
    with NameStore.create(where) as store:
        gone = publish(store)
        store.delete(gone)
        assert publish(store).id > gone.id
        with pytest.raises(RunNotFoundError):
            store.names(gone)


def test_deleting_leaves_no_row(where: str) -> None:
    with NameStore.create(where) as store:
        dissection = cases.proven_dissection()
        importances = list(map(cases.with_statistics, cases.small_importances()))
        store.delete(store.publish(cases.run_of(dissection), dissection, importances, {7: b"jpeg"}))
        with store._engine.connect() as connection:
            tables = [table for table in db.schema.metadata.sorted_tables if table.name != "meta"]
            assert [connection.execute(table.select()).all() for table in tables] == [[]] * len(tables)


def test_choosing_a_run(where: str) -> None:
    with NameStore.create(where) as store:
        with pytest.raises(RunNotFoundError, match="has no run yet: build one"):
            store.choose()
        first = publish(store)
        assert store.choose() == first
        second = publish(store, network="other")
        assert [store.choose(run.id) for run in (first, second)] == [first, second]
        listed = rf"{first.id}: vgg16 features\.29, msrc, \d{{4}}-.*; {second.id}: vgg16 features\.29"
        with pytest.raises(RunNotFoundError, match=rf"has 2 runs; name one with --run: {listed}"):
            store.choose()
        with pytest.raises(RunNotFoundError, match=rf"has no run 77; choose one of {listed}"):
            store.run(77)


def test_a_network_gets_its_newest_run(where: str) -> None:
    with NameStore.create(where) as store:
        publish(store, network="mine")
        newest = publish(store, network="mine", evidence="more photographs")
        publish(store, network="a" * 64)
        assert store.run_for("mine") == newest
        with pytest.raises(RunNotFoundError) as caught:
            store.run_for("f" * 64)
    assert "fingerprint ffffffffffff but of vgg16 aaaaaaaaaaaa, vgg16 mine: the weights differ" in str(caught.value)


def test_a_network_finds_nothing_in_an_empty_store(where: str) -> None:
    with NameStore.create(where) as store, pytest.raises(RunNotFoundError, match="has no run of the network") as caught:
        store.run_for("f" * 64)
    assert "differ" not in str(caught.value)


def test_what_is_not_there_is_none(where: str) -> None:
    with NameStore.create(where) as store:
        run = publish(store)
        assert store.picture(run, 0) is None
        assert store.importance(run, 2) is None
        assert store.class_images(run) == {0: 12, 1: 3}
        with pytest.raises(StoreError, match="no unit 6: give one from 0 to 5"):
            store.unit(run, 6)


def test_importances_are_kept_as_little_endian_doubles(where: str) -> None:
    with NameStore.create(where) as store:
        run = publish(store)
        with store._engine.connect() as connection:
            kept = connection.execute(select(importances).where(importances.c["class"] == 1)).one()
        assert kept.alphas == struct.pack("<6d", -0.5, 0.25, 0.0, 9.0, 9.0, 2.0)
        assert store.importance(run, 1).alphas.dtype == np.float64


@pytest.mark.parametrize(
    ("damage", "found"),
    [
        (update(importances).values(contributions=b"\0" * 47), 47),
        (update(importances).values(alphas=b""), 0),
        (delete(importances), 0),
    ],
)
def test_damaged_importances_are_said(where: str, damage: Executable, found: int) -> None:
    with NameStore.create(where) as store:
        run = publish(store, schema=2)  # without a checksum, which would be the first to differ
        with engines.writing(store._engine) as connection:
            connection.execute(damage)
        for ask in (
            lambda: store.importance(run, 0),
            lambda: store.concepts_of(run, 0),
            lambda: store.classes_for(run, "sky"),
        ):
            with pytest.raises(StoreError, match=rf"{found} bytes of importances for class 'beach', not 48: .*again"):
                ask()


def test_a_reader_sees_what_was_published_and_writes_nothing(where: str) -> None:
    with NameStore.create(where) as writer:
        run = publish(writer)
    with NameStore.open(where) as reader:
        assert reader.dissection(run) == cases.small_dissection()
        for write in (lambda: publish(reader, network="other"), lambda: reader.delete(run)):
            with pytest.raises(StoreError, match="open for reading only"):
                write()
        assert reader.runs() == [run]


def test_the_package_needs_no_pandas_and_no_torch() -> None:
    script = "import sys, db; assert not {'pandas', 'torch'} & set(sys.modules), sorted(sys.modules)"
    subprocess.run([sys.executable, "-c", script], check=True)


def test_the_public_names_are_there() -> None:
    assert all(hasattr(db, name) for name in db.__all__)
    assert db.__all__ == sorted(db.__all__, key=lambda name: (not name.isupper(), name))


def publish(store: NameStore, **key: Any) -> Run:
    dissection = cases.small_dissection()
    return store.publish(cases.run_of(dissection, **key), dissection, cases.small_importances(), {7: b"jpeg"})


def slow_checksum(tables: list[Table], rows: dict[str, list[tuple[Any, ...]]], facts: list[object]) -> str:
    """From the definition: value by value."""
    content = json.dumps(facts).encode()
    for table in tables:
        content += f"{table.name} {len(rows[table.name])}\n".encode()
        for number, column in enumerate(list(table.columns)[1:] if rows[table.name] else ()):
            values = [row[1 + number] for row in rows[table.name]]
            kind = column.type.python_type
            if kind is float:
                content += b"".join(struct.pack("<d", value) for value in values)
            elif kind is int:
                content += b"".join(struct.pack("<q", -1 if value is None else value) for value in values)
            elif kind is bytes:
                content += json.dumps([len(value) for value in values]).encode() + b"".join(values)
            else:
                content += json.dumps(values).encode()
    return hashlib.sha256(content).hexdigest()


def publish_everything(store: NameStore) -> Run:
    """A run that has rows in every table."""
    dissection = cases.composed_dissection()
    run = replace(cases.run_of(dissection), licence="CC BY 4.0")
    importances = [cases.small_importances()[0], cases.with_statistics(cases.small_importances()[1])]
    return store.publish(run, dissection, importances, {7: b"seven", 2: b"two"})


def test_the_checksum_is_over_every_row_of_a_run(where: str) -> None:
    with NameStore.create(where) as store:
        publish(store, network="another")
        run = publish_everything(store)
        with store._engine.connect() as connection:
            rows = {
                table.name: [
                    tuple(row)
                    for row in connection.execute(table.select().order_by(*table.primary_key))
                    if table.name != "meta" and row[0] == run.id
                ]
                for table in schema.metadata.sorted_tables
            }
    assert all(rows[name] for name in rows.keys() - {"meta"})
    (kept,) = rows["provenance"]
    of_evidence = ("evidence", "runners_up", "quarters", "controls")
    dissected = (
        "runs",
        "concepts",
        "units",
        "overlaps",
        "truths",
        "exemplars",
        "exemplar_concepts",
        *of_evidence,
        *("compositions", "formula_terms", "formula_quarters", "formula_maps", "bodies", "formula_lengths"),
    )
    besides = ("classes", "importances", "class_statistics", "pictures")
    of_dissection, of_whole = ([schema.metadata.tables[name] for name in names] for names in (dissected, besides))
    dissection = slow_checksum(of_dissection, rows, ["CC BY 4.0", 199, 2])
    assert kept == (run.id, "CC BY 4.0", 199, 2, dissection, slow_checksum(of_whole, rows, [dissection]))
    assert set(dissected) | set(besides) | {"meta", "provenance"} == set(schema.metadata.tables)


def damaged_columns() -> list[tuple[str, str]]:
    """All but a run's key, without which it is another run, and what cannot be read at all if it is changed."""
    exempt = {"digest", "source"}
    return [
        (table.name, column.name)
        for table in (schema.runs, *schema.DISSECTION, *schema.BESIDES)
        for column in table.columns
        if not (column.primary_key or column.name in exempt or column.name.startswith("key_"))
    ]


@pytest.mark.parametrize(("table", "column"), [*damaged_columns(), ("provenance", "licence")])
def test_what_was_changed_since_is_said(where: str, table: str, column: str) -> None:
    damaged = schema.metadata.tables[table].c[column]
    other = {float: 0.8, int: 2, str: "2001-01-01T00:00:00+00:00", bytes: bytes(48)}[damaged.type.python_type]
    with NameStore.create(where) as store:
        publish_everything(store)
        with engines.writing(store._engine) as connection:
            assert connection.execute(update(damaged.table).values({column: other})).rowcount
        (run,) = store.runs()
        said = "run 1 was changed or damaged since it was stored: build or import it again"
        with pytest.raises(StoreError, match=f"{said}|bytes of importances") as caught:
            store.whole(run)
        assert "\n" not in str(caught.value)
        if table in {"classes", "importances", "class_statistics", "pictures"}:
            assert store.dissection(run).units == cases.composed_dissection().units
        else:
            for ask in (store.dissection, store.names, store.thresholds):
                with pytest.raises(StoreError, match=said):
                    ask(run)


LEAVES = ("truths", "exemplar_concepts", "runners_up", "quarters", "class_statistics", "pictures", "provenance")


@pytest.mark.parametrize("table", LEAVES)
def test_what_was_lost_since_is_said(where: str, table: str) -> None:
    with NameStore.create(where) as store:
        run = publish_everything(store)
        with engines.writing(store._engine) as connection:
            connection.execute(delete(schema.metadata.tables[table]))
        with pytest.raises(StoreError, match="was changed or damaged since it was stored"):
            store.whole(run)


def test_a_run_of_schema_2_has_no_checksum(where: str) -> None:
    with NameStore.create(where) as store:
        publish(store, schema=2)
        with engines.writing(store._engine) as connection:
            assert connection.execute(select(schema.provenance)).all() == []
            connection.execute(update(schema.units).values(threshold=7.0))
        (run,) = store.runs()
        assert {unit.threshold for unit in store.whole(run).dissection.units} == {7.0}


def test_keys_of_schema_2_have_the_digest_that_they_had() -> None:
    key = cases.run_of(cases.small_dissection(), schema=2).key
    values = {name: value for name, value in asdict(key).items() if name not in {"draws", "control", "length"}}
    assert key.digest == hashlib.sha256(json.dumps(values, sort_keys=True).encode()).hexdigest()
    assert key.digest != replace(key, schema=3).digest != replace(key, schema=3, draws=199).digest


def test_keys_of_schema_6_without_formulas_have_the_digest_of_schema_3() -> None:
    key = cases.run_of(cases.proven_dissection()).key
    assert (key.schema, key.length) == (6, 1)
    values = {name: value for name, value in asdict(key).items() if name != "length"} | {"schema": 3}
    digest = hashlib.sha256(json.dumps(values, sort_keys=True).encode()).hexdigest()
    assert key.digest == replace(key, schema=3).digest == digest
