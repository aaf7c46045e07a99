"""Data that change while a build reads them: nothing is kept, and the file is named."""

from __future__ import annotations

import os
import shutil
from contextlib import nullcontext
from typing import TYPE_CHECKING, Any

import pytest
from thread_ranks import on_ranks
from worlds import CLASSES, colour_network, colour_square, write_colour_folder

from db import NameStore
from dissection.concepts.plain_layout import PlainLayout
from dissection.errors import ConceptDataError
from dissection.execution.settings import Execution
from neuronexplain.building import build, build_layers
from neuronexplain.class_images import open_class_images

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


class StoppedError(Exception):
    pass


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return write_colour_folder(tmp_path / "squares", images=12)


@pytest.fixture
def often(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("dissection.execution.checkpoint._PAUSE", 0)
    monkeypatch.setattr("dissection.execution.checkpoint._SHARE", 1e9)


def other_colour(file: Path) -> None:
    colour_square("red").rotate(180).save(file)


def at(stage: str, place: int, act: Callable[[], object]) -> Callable[[str, int, int], None]:
    def progress(current: str, done: int, _total: int) -> None:
        if current == stage and done == place:
            act()

    return progress


def stop() -> None:
    raise StoppedError


def counting(passes: list[int]) -> Callable[[str, int, int], None]:
    def progress(stage: str, done: int, _total: int) -> None:
        passes.append(done) if stage == LOOKING else None

    return progress


def built(folder: Path, database: Path, **options: Any) -> Any:
    execution = Execution(batch_size=2, scratch=database.with_suffix(".unfinished"), **options)
    with NameStore.create(database) as store:
        return build(colour_network(), PlainLayout(folder, label_size=32), store, execution=execution)


def on_rank(database: Path, data: PlainLayout, execution: Execution) -> None:
    with NameStore.create(database) if execution.ranks.number == 0 else nullcontext() as store:
        build_layers([colour_network()], data, store, execution=execution)


LOOKING = "looking at the photographs"


@pytest.mark.parametrize("name", ["images/003.png", "masks/007.png", "images/011.png"])
@pytest.mark.parametrize("stage", ["reading the concept data", LOOKING])
def test_a_file_that_changes_during_a_build_is_named_and_nothing_is_kept(
    folder: Path, tmp_path: Path, name: str, stage: str
) -> None:
    file = folder / name

    def change() -> None:
        status = file.stat()
        shutil.copy(folder / "masks/000.png" if "masks" in name else folder / "images/000.png", file)
        os.utime(file, ns=(status.st_atime_ns, status.st_mtime_ns))  # as some tools do

    with pytest.raises(ConceptDataError, match=f"{name} was changed while the build read it") as caught:
        built(folder, tmp_path / "n.db", progress=at(stage, 12, change))
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "n.db").exists()
    assert not (tmp_path / "n.unfinished").exists()
    assert built(folder, tmp_path / "n.db").is_new


def test_a_file_that_is_replaced_counts_as_changed(folder: Path, tmp_path: Path) -> None:
    file, new = folder / "images/000.png", tmp_path / "new.png"
    shutil.copy2(file, new)
    with pytest.raises(ConceptDataError, match=r"000\.png was changed"):
        built(folder, tmp_path / "n.db", progress=at(LOOKING, 12, lambda: new.replace(file)))


def test_a_file_that_is_gone_is_named(folder: Path, tmp_path: Path) -> None:
    with pytest.raises(ConceptDataError, match=r"000\.png"):
        built(folder, tmp_path / "n.db", progress=at(LOOKING, 12, (folder / "images/000.png").unlink))


def test_images_of_classes_are_looked_after_too(folder: Path, tmp_path: Path) -> None:
    for colour in CLASSES[:2]:
        (tmp_path / "classes" / colour).mkdir(parents=True)
        colour_square("red").save(tmp_path / "classes" / colour / "1.png")
    images = open_class_images(tmp_path / "classes", CLASSES)
    file = images.images[1][0]
    progress = at("looking at the images of each class", 2, lambda: other_colour(file))
    with (
        NameStore.create(tmp_path / "n.db") as store,
        pytest.raises(ConceptDataError, match=r"1\.png was changed while the build read it"),
    ):
        build(
            colour_network(),
            PlainLayout(folder, label_size=32),
            store,
            class_images=images,
            execution=Execution(batch_size=2, progress=progress),
        )


@pytest.mark.usefixtures("often")
def test_work_on_data_that_were_changed_and_changed_back_is_not_resumed(folder: Path, tmp_path: Path) -> None:
    file = folder / "images/005.png"
    original = file.read_bytes()
    passes: list[int] = []
    with pytest.raises(StoppedError):
        built(folder, tmp_path / "n.db", progress=at(LOOKING, 10, stop))
    other_colour(file)
    file.write_bytes(original)
    run = built(folder, tmp_path / "n.db", progress=counting(passes)).run
    assert passes[0] == 2, "from the start"
    with NameStore.open(tmp_path / "n.db") as one, NameStore.create(tmp_path / "whole.db") as two:
        whole = build(colour_network(), PlainLayout(folder, label_size=32), two, execution=Execution(2)).run
        assert one.dissection(run) == two.dissection(whole)


@pytest.mark.usefixtures("often")
@pytest.mark.parametrize("content", [b"\xf7\x80", b""])
def test_work_whose_note_of_the_data_was_damaged_begins_anew(folder: Path, tmp_path: Path, content: bytes) -> None:
    passes: list[int] = []
    with pytest.raises(StoppedError):
        built(folder, tmp_path / "n.db", progress=at(LOOKING, 10, stop))
    (note,) = tmp_path.glob("**/0-of-1/data")
    note.write_bytes(content)
    built(folder, tmp_path / "n.db", progress=counting(passes))
    assert passes[0] == 2, "from the start"


@pytest.mark.usefixtures("often")
def test_work_on_data_that_are_as_they_were_is_resumed(folder: Path, tmp_path: Path) -> None:
    passes: list[int] = []
    with pytest.raises(StoppedError):
        built(folder, tmp_path / "n.db", progress=at(LOOKING, 10, stop))
    built(folder, tmp_path / "n.db", progress=counting(passes))
    assert passes[0] > 2


def test_ranks_that_read_other_data_are_refused(folder: Path, tmp_path: Path) -> None:
    copy = tmp_path / "copy"
    shutil.copytree(folder, copy)

    def work(ranks: Any) -> list[str]:
        data = PlainLayout(copy if ranks.number else folder, label_size=32)
        try:
            on_rank(tmp_path / "n.db", data, Execution(2, ranks=ranks))
        except ConceptDataError as error:
            return [str(error)]
        return []

    assert on_ranks(2, work) == [[], []]
    (tmp_path / "n.db").unlink()
    other_colour(copy / "images/004.png")
    assert all("read different data" in message for (message,) in on_ranks(2, work))


def test_a_change_that_one_rank_finds_ends_all(folder: Path, tmp_path: Path) -> None:
    copy = tmp_path / "copy"
    shutil.copytree(folder, copy)

    def work(ranks: Any) -> str:
        change = at(LOOKING, 12, (copy / "images/004.png").touch)
        execution = Execution(2, ranks=ranks, progress=change if ranks.number else lambda *_: None)
        data = PlainLayout(copy if ranks.number else folder, label_size=32)
        with pytest.raises(ConceptDataError) as caught:
            on_rank(tmp_path / "n.db", data, execution)
        return str(caught.value)

    first, second = on_ranks(2, work)
    assert first == second
    assert "copy/images/004.png was changed" in first
