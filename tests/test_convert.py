"""Conversions: whole or not at all, the same bytes wherever they were killed, and begun anew when anything differs."""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from dissection.concepts import formats
from dissection.concepts.broden.layout import BrodenLayout
from dissection.concepts.checking import check
from dissection.concepts.conversion import convert
from dissection.concepts.plain_layout import PlainLayout
from dissection.errors import CheckpointError, ConceptDataError, OutputError
from dissection.execution import checkpoint
from dissection.execution.scratch import alone

SCRIPT = Path(__file__).parent / "convert_script.py"


def write_plain(root: Path, count: int) -> Path:
    """Noise photographs with masks of five concepts, one of them on a single image and one on none."""
    generator = np.random.default_rng(3)
    (root / "images").mkdir(parents=True)
    (root / "masks").mkdir()
    (root / "LICENSE").write_text("free")
    (root / "concepts.csv").write_text(
        "number,name,category\n1,sky,object\n2,wood,material\n300,sea,object\n9,owl,object\n10,yak,object\n"
    )
    for index in range(count):
        mask = generator.choice([0, 1, 2, 300], (24, 40)).astype(np.uint16)
        mask[:3, :3] = 9 if index == 1 else 1
        Image.fromarray(generator.integers(0, 256, (24, 40, 3), np.uint8)).save(root / "images" / f"{index:03}.png")
        Image.fromarray(mask).save(root / "masks" / f"{index:03}.png")
    return root


@pytest.fixture
def plain(tmp_path: Path) -> Path:
    return write_plain(tmp_path / "plain", 6)


def contents(folder: Path) -> dict[str, bytes]:
    return {str(file.relative_to(folder)): file.read_bytes() for file in folder.rglob("*") if file.is_file()}


def run(source: Path, target: Path, **settings: Any) -> Any:
    return convert(PlainLayout(source, label_size=16), target, size=32, label_size=16, **{"min_images": 2} | settings)


def interrupt_at(count: int) -> Any:
    def tell(done: int, total: int) -> None:
        if done == count:
            raise KeyboardInterrupt

    return tell


def test_a_conversion_killed_at_any_moment_goes_on_to_the_same_bytes(tmp_path: Path) -> None:
    source = write_plain(tmp_path / "plain", 120)
    run(source, tmp_path / "undisturbed")
    chance, kills = random.Random(5), 0
    while not (tmp_path / "new").exists():
        seconds = chance.uniform(0.01, 0.1) if kills < 6 else 0
        words = [sys.executable, str(SCRIPT), str(source), str(tmp_path / "new"), str(seconds)]
        environment = os.environ | {"PYTHONPATH": str(SCRIPT.parents[1])}
        done = subprocess.run(words, env=environment, capture_output=True, text=True, check=False)
        assert done.returncode in {0, -9}, done.stderr
        kills += done.returncode == -9
    assert kills >= 3
    assert contents(tmp_path / "new") == contents(tmp_path / "undisturbed")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["new", "plain", "undisturbed"]
    assert check(tmp_path / "new") == []


@pytest.mark.parametrize("moment", range(1, 13))
def test_an_interrupted_conversion_goes_on_where_it_was(
    plain: Path, tmp_path: Path, moment: int, monkeypatch: Any
) -> None:
    whole = run(plain, tmp_path / "undisturbed")
    monkeypatch.setattr(checkpoint, "_PAUSE", 0)
    monkeypatch.setattr(checkpoint, "_SHARE", 1e9)
    with pytest.raises(KeyboardInterrupt):
        run(plain, tmp_path / "new", progress=interrupt_at(moment))
    assert not (tmp_path / "new").exists()
    seen: list[int] = []
    assert run(plain, tmp_path / "new", progress=lambda done, total: seen.append(done)) == whole
    assert len(seen) == 12 - moment
    assert contents(tmp_path / "new") == contents(tmp_path / "undisturbed")


def test_a_torn_line_of_the_journal_is_done_again(plain: Path, tmp_path: Path) -> None:
    run(plain, tmp_path / "undisturbed")
    with pytest.raises(KeyboardInterrupt):
        run(plain, tmp_path / "new", progress=interrupt_at(9))
    (journal,) = tmp_path.glob(".new.unfinished/*/journal")
    journal.write_bytes(journal.read_bytes()[:-7])
    seen: list[int] = []
    run(plain, tmp_path / "new", progress=lambda done, total: seen.append(done))
    assert seen == [9, 10, 11, 12]
    assert contents(tmp_path / "new") == contents(tmp_path / "undisturbed")


def damage(file: Path, way: str) -> None:
    content = file.read_bytes()
    if way == "bit":
        file.write_bytes(content[:-30] + bytes([content[-30] ^ 1]) + content[-29:])
    elif way == "longer":
        file.write_bytes(content + b"x")
    elif way == "empty":
        file.write_bytes(b"")
    else:
        file.unlink()
        if way == "link":
            elsewhere = file.parents[4] / "elsewhere"
            elsewhere.write_bytes(content)
            file.symlink_to(elsewhere)


@pytest.mark.parametrize("way", ["bit", "longer", "empty", "missing", "link"])
@pytest.mark.parametrize(
    ("name", "first"), [("000.jpg", 7), ("001_object.png", 8), ("002_material.png", 9), ("003.jpg", 10)]
)
def test_a_file_that_was_damaged_meanwhile_is_written_anew(
    plain: Path, tmp_path: Path, name: str, first: int, way: str
) -> None:
    run(plain, tmp_path / "undisturbed")
    with pytest.raises(KeyboardInterrupt):
        run(plain, tmp_path / "new", progress=interrupt_at(10))
    (file,) = tmp_path.glob(f".new.unfinished/*/data/images/{name}")
    content = file.read_bytes()
    damage(file, way)
    seen: list[int] = []
    run(plain, tmp_path / "new", progress=lambda done, total: seen.append(done))
    assert contents(tmp_path / "new") == contents(tmp_path / "undisturbed")
    assert seen == list(range(first, 13))
    assert not (tmp_path / "new" / "images" / name).is_symlink()
    if way == "link":
        assert (file.parents[4] / "elsewhere").read_bytes() == content


@pytest.mark.parametrize("first", [7, 8, 10])
@pytest.mark.parametrize("way", ["bit", "line", "no checksum", "noise"])
def test_a_journal_that_was_damaged_is_believed_up_to_there(plain: Path, tmp_path: Path, first: int, way: str) -> None:
    run(plain, tmp_path / "undisturbed")
    with pytest.raises(KeyboardInterrupt):
        run(plain, tmp_path / "new", progress=interrupt_at(11))
    (journal,) = tmp_path.glob(".new.unfinished/*/journal")
    lines = journal.read_bytes().splitlines(keepends=True)
    line = lines[first - 7]
    lines[first - 7] = {
        "bit": line.replace(b"train", b"tsain"),
        "line": b"",
        "no checksum": line[: line.index(b', "crc32"')] + b"}\n",
        "noise": b"\xff\xfe\n",
    }[way]
    journal.write_bytes(b"".join(lines))
    seen: list[int] = []
    run(plain, tmp_path / "new", progress=lambda done, total: seen.append(done))
    assert seen == list(range(first, 13))
    assert contents(tmp_path / "new") == contents(tmp_path / "undisturbed")


@pytest.mark.parametrize("what", ["setting", "photograph", "words"])
def test_another_source_or_setting_begins_anew(plain: Path, tmp_path: Path, what: str) -> None:
    with pytest.raises(KeyboardInterrupt):
        run(plain, tmp_path / "new", progress=interrupt_at(9))
    settings = {}
    if what == "setting":
        settings = {"min_images": 1}
    elif what == "photograph":
        Image.new("RGB", (40, 24), "red").save(plain / "images" / "000.png")
    else:
        (plain / "concepts.csv").write_text((plain / "concepts.csv").read_text().replace("sky", "heaven"))
    seen: list[int] = []
    run(plain, tmp_path / "new", progress=lambda done, total: seen.append(done), **settings)
    assert seen == list(range(1, 13))
    run(plain, tmp_path / "other", **settings)
    assert contents(tmp_path / "new") == contents(tmp_path / "other")


def test_a_bad_source_leaves_nothing(plain: Path, tmp_path: Path) -> None:
    (plain / "images" / "004.png").write_bytes((plain / "images" / "004.png").read_bytes()[:-200])
    with pytest.raises(ConceptDataError, match=r"images/004\.png"):
        run(plain, tmp_path / "new")
    assert list(tmp_path.iterdir()) == [plain]


@pytest.mark.parametrize("name", ["images/002.png", "masks/005.png"])
@pytest.mark.parametrize("moment", [1, 6, 7, 12])
def test_a_file_that_changes_during_a_conversion_is_named_and_nothing_is_kept(
    plain: Path, tmp_path: Path, name: str, moment: int
) -> None:
    file = plain / name

    def change(done: int, _total: int) -> None:
        if done == moment:
            status = file.stat()
            other = tmp_path / "other.png"
            other.write_bytes((plain / name.split("/", maxsplit=1)[0] / "000.png").read_bytes())
            os.utime(other, ns=(status.st_atime_ns, status.st_mtime_ns))  # as some tools do
            other.replace(file)  # at once: the next images are being read meanwhile

    with pytest.raises(ConceptDataError, match=f"{name} was changed while it was converted") as caught:
        run(plain, tmp_path / "new", progress=change)
    assert "\n" not in str(caught.value)
    assert list(tmp_path.iterdir()) == [plain]
    run(plain, tmp_path / "new")


def test_a_file_that_changed_between_two_starts_is_converted_anew(plain: Path, tmp_path: Path) -> None:
    file = plain / "images" / "000.png"
    status, other = file.stat(), plain / "images" / "001.png"
    with pytest.raises(KeyboardInterrupt):
        run(plain, tmp_path / "new", progress=interrupt_at(9))
    file.write_bytes(other.read_bytes()[: status.st_size].ljust(status.st_size, b"\0"))
    os.utime(file, ns=(status.st_atime_ns, status.st_mtime_ns))
    seen: list[int] = []
    run(plain, tmp_path / "new", progress=lambda done, total: seen.append(done))
    assert seen[0] == 1


def test_a_full_disk_keeps_what_was_done(plain: Path, tmp_path: Path) -> None:
    def full(done: int, total: int) -> None:
        if done == 9:
            raise OSError(28, "No space left on device")

    with pytest.raises(OutputError, match=r"No space left.*same command"):
        run(plain, tmp_path / "new", progress=full)
    seen: list[int] = []
    run(plain, tmp_path / "new", progress=lambda done, total: seen.append(done))
    assert seen == [10, 11, 12]


def test_a_place_that_cannot_be_written_is_said(plain: Path, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError, match=r"cannot write .*file/new \(.*\); nothing was kept"):
        run(plain, tmp_path / "file" / "new")


def test_what_was_left_when_all_was_done_but_tidying_is_removed(plain: Path, tmp_path: Path) -> None:
    run(plain, tmp_path / "new")
    (tmp_path / ".new.unfinished" / "digest").mkdir(parents=True)
    with pytest.raises(OutputError, match="already exists"):
        run(plain, tmp_path / "new")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["new", "plain"]


def test_two_processes_do_not_write_one_folder(plain: Path, tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt):
        run(plain, tmp_path / "new", progress=interrupt_at(9))
    beside = tmp_path / ".new.unfinished"
    with alone(beside, beside / "lock"), pytest.raises(CheckpointError, match="another process"):
        run(plain, tmp_path / "new")
    run(plain, tmp_path / "new")


def test_rare_concepts_are_left_out_and_totals_are_what_was_written(plain: Path, tmp_path: Path) -> None:
    summary = run(plain, tmp_path / "new")
    assert [one.concept.name for one in summary.dropped] == ["owl"]
    written = BrodenLayout(tmp_path / "new")
    maps = [written.labels(index).maps for index in range(6)]
    for total in summary.categories:
        numbers = [number for number, concept in written.concepts.items() if concept.category == total.category]
        pixels = [int(np.isin(layers, numbers).any(0).sum()) for layers in maps]
        assert (total.images, total.concepts, total.pixels) == (6, len(numbers), sum(pixels))
    assert (tmp_path / "new" / "LICENSE").read_text() == "free"


def test_label_maps_of_another_size_are_brought_to_it(plain: Path, tmp_path: Path) -> None:
    run(plain, tmp_path / "large")
    small = convert(
        formats.find_format("broden").open(tmp_path / "large", label_size=8),
        tmp_path / "new",
        size=16,
        label_size=8,
        min_images=1,
    )
    assert small.survey.pixels == 6 * 8 * 8
    assert check(tmp_path / "new") == []
    large = BrodenLayout(tmp_path / "large").labels(3).maps
    np.testing.assert_array_equal(BrodenLayout(tmp_path / "new").labels(3).maps, large[:, 1::2, 1::2])


def test_a_kind_that_is_not_there_is_refused() -> None:
    with pytest.raises(ConceptDataError, match="choose one of masks, broden"):
        formats.find_format("brodne")


@pytest.mark.parametrize("kind", formats.FORMATS.values(), ids=lambda kind: kind.name)
def test_every_kind_says_in_one_line_that_a_folder_is_empty(kind: formats.Format, tmp_path: Path) -> None:
    with pytest.raises(ConceptDataError) as caught:
        kind.open(tmp_path, label_size=8)
    assert str(tmp_path) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_kind_whose_package_is_missing_says_what_to_install(tmp_path: Path) -> None:
    lost = formats.Format("lost", "nothing", "nowhere:Lost", extra="lost")
    with pytest.raises(ConceptDataError, match=r"pip install 'neuronexplain\[lost\]'"):
        lost.open(tmp_path, label_size=8)


def test_the_journal_is_one_line_an_image(plain: Path, tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt):
        run(plain, tmp_path / "new", progress=interrupt_at(12))
    (journal,) = tmp_path.glob(".new.unfinished/*/journal")
    assert [json.loads(line)["index"][0] for line in journal.read_text().splitlines()] == [
        f"{i:03}.jpg" for i in range(6)
    ]
