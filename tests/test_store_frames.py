"""Frames show what the store holds, and restore it."""

from __future__ import annotations

import io
from dataclasses import fields, replace
from typing import TYPE_CHECKING

import pandas as pd
import pytest
import store_cases as cases
from hypothesis import HealthCheck, given, settings

from db import NameStore, Run, StoreError
from db import frames as tables
from db.frames import columns

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from db import ClassImportance
    from dissection.vocabulary import Dissection


@pytest.fixture
def small(tmp_path: Path) -> Iterator[tuple[NameStore, Run]]:
    with NameStore.create(tmp_path / "names.db") as store:
        dissection = cases.small_dissection()
        yield store, store.publish(cases.run_of(dissection), dissection, cases.small_importances())


def test_units(small: tuple[NameStore, Run]) -> None:
    frame = tables.units_frame(*small)
    assert tuple(frame.columns) == columns.UNITS
    assert frame.unit.tolist() == list(range(6))
    assert [name if isinstance(name, str) else None for name in frame.name] == [
        "sky",
        "grass",
        "sky",
        None,
        None,
        "street",
    ]
    assert frame.best[3] == "traffic light"
    assert pd.isna(frame.best[4])
    assert frame.iou.tolist() == [0.4, 0.3, 0.05, 0.04, 0.0, 0.6]
    assert (frame.intersection[0], frame.union[0], frame.images[0]) == (40, 100, 11)
    assert tables.units_frame(*small, min_iou=0.04).name[3] == "traffic light"


def test_runs(small: tuple[NameStore, Run]) -> None:
    store, run = small
    frame = tables.runs_frame(store)
    assert tuple(frame.columns) == columns.RUNS
    assert frame.iloc[0].to_dict() == {
        "id": run.id,
        "network": "vgg16",
        "layer": "features.29",
        "units": 6,
        "concepts": "msrc",
        "images": 800,
        "quantile": 0.005,
        "evidence": "one folder per class",
        "fingerprint": run.key.network,
        "body": run.body,
        "created": run.created,
    }


def test_overlaps_and_importances(small: tuple[NameStore, Run]) -> None:
    overlaps = tables.overlaps_frame(*small)
    assert tuple(overlaps.columns) == columns.OVERLAPS
    assert overlaps[overlaps["unit"] == 5][["rank", "concept", "category", "iou"]].to_numpy().tolist() == [
        [0, "street", "scene", 0.6],
        [1, "sky", "object", 0.2],
    ]
    importances = tables.importances_frame(*small)
    assert tuple(importances.columns) == columns.IMPORTANCES_WITH_ERRORS
    assert importances[importances["unit"] == 0][["label", "images", "alpha", "contribution"]].to_numpy().tolist() == [
        ["beach", 12, 0.5, -1.0],
        ["street", 3, -0.5, 2.0],
    ]


def test_an_empty_store_has_empty_frames(tmp_path: Path) -> None:
    dissection = cases.small_dissection()
    with NameStore.create(tmp_path / "names.db") as store:
        assert tables.runs_frame(store).empty
        run = store.publish(cases.run_of(dissection), dissection)
        assert tuple(tables.importances_frame(store, run).columns) == columns.IMPORTANCES_WITH_ERRORS
        assert tables.values(run, tables.frames(store, run)) == (dissection, [])


def test_what_is_known_of_a_unit(tmp_path: Path) -> None:
    dissection = cases.proven_dissection()
    with NameStore.create(tmp_path / "names.db") as store:
        run = store.publish(cases.run_of(dissection), dissection)
        frame = tables.units_frame(store, run)
        plain = store.publish(cases.run_of(cases.small_dissection()), cases.small_dissection())
        unknown = tables.units_frame(store, plain)
    columns = ["truth", "lit_images", "p", "q", "kept", "iou_low", "iou_high"]
    assert list(frame.columns[-7:]) == columns
    low, high = dissection.units[1].evidence.iou
    assert frame[columns].iloc[1].tolist() == [6 / 8, 8, 0.01, 0.03, 0.875, low, high]
    assert frame[columns].iloc[4].isna().all()
    assert {str(kind) for kind in frame[columns].dtypes} == {"float64"}
    assert unknown[columns].isna().all(axis=None)


@given(published=cases.published())
@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_frames_give_everything_back(tmp_path: Path, published: tuple[Run, Dissection, list[ClassImportance]]) -> None:
    run, dissection, importances = published
    with NameStore.create(tmp_path / "names.db") as store:
        kept = store.publish(run, dissection, importances)
        frames = tables.frames(store, kept)
        store.delete(kept)
        again = store.publish(kept, *tables.values(kept, shuffled(frames)))
        found = [store.importance(again, importance.index) for importance in importances]
        assert store.dissection(again) == dissection
        assert all(map(cases.same, found, importances))
        store.delete(again)


def shuffled(frames: tables.Frames) -> tables.Frames:
    return tables.Frames(**{name: getattr(frames, name).sample(frac=1, random_state=7) for name in NAMES})


NAMES = [field.name for field in fields(tables.Frames)]


def test_frames_survive_csv(tmp_path: Path) -> None:
    given = [cases.small_importances()[0], cases.with_statistics(cases.small_importances()[1])]

    def through_csv(frame: pd.DataFrame) -> pd.DataFrame:
        text = frame.to_csv(index=False)
        return pd.read_csv(io.StringIO(text), keep_default_na=False)

    for expected in (cases.composed_dissection(), cases.proven_dissection(), cases.small_dissection()):
        with NameStore.create(tmp_path / "names.db") as store:
            run = store.publish(cases.run_of(expected), expected, given)
            frames = tables.frames(store, run)
        dissection, importances = tables.values(
            run, tables.Frames(**{name: through_csv(getattr(frames, name)) for name in NAMES})
        )
        assert dissection == expected
        assert all(map(cases.same, importances, given))


def test_frames_that_lack_something_say_what(small: tuple[NameStore, Run]) -> None:
    store, run = small
    frames = tables.frames(store, run)
    for change, said in (
        ({"concepts": frames.concepts.drop(columns="category")}, "lacks the columns category"),
        ({"concepts": frames.concepts[1:]}, "unit 0 has concept 1, which"),
        ({"importances": frames.importances[1:]}, r"class 0 \('beach'\) must have one row for each unit"),
    ):
        with pytest.raises(StoreError, match=said):
            tables.values(run, replace(frames, **change))
