"""Temporary siblings: those of the living are left alone, those of the dead are removed by the next."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from db import NameStore
from dissection.errors import OutputError
from dissection.files.atomic import new_folder, replace_file, replacing
from dissection.files.siblings import sibling_file, sibling_folder

if sys.platform == "win32":
    pytest.skip("nothing can be taken for a leftover", allow_module_level=True)

KILLED = """
import os, signal, sys
from pathlib import Path
from dissection.files.siblings import sibling_file, sibling_folder
make = sibling_folder if sys.argv[2] == "folder" else sibling_file
with make(Path(sys.argv[1])) as sibling:
    (sibling / "half" if sibling.is_dir() else sibling).write_text("half written")
    os.kill(os.getpid(), signal.SIGKILL)
"""


def killed(target: Path, kind: str) -> None:
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[1])}
    process = subprocess.run([sys.executable, "-c", KILLED, target, kind], env=environment, check=False, timeout=60)
    assert process.returncode == -signal.SIGKILL


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


@pytest.mark.parametrize("kind", ["file", "folder"])
def test_the_next_file_and_the_next_folder_of_that_name_remove_what_a_killed_process_left(kind, tmp_path):
    killed(tmp_path / "x", kind)
    assert len(names(tmp_path)) == 1
    replace_file(tmp_path / "x", b"whole")
    assert names(tmp_path) == ["x"]
    killed(tmp_path / "y", kind)
    with new_folder(tmp_path / "y"):
        pass
    assert names(tmp_path) == ["x", "y"]


def test_the_next_database_removes_what_a_killed_process_left(tmp_path):
    killed(tmp_path / "names.db", "folder")
    with NameStore.create(tmp_path / "names.db"):
        pass
    assert names(tmp_path) == ["names.db"]
    killed(tmp_path / "names.db", "folder")  # just after the file was made
    with NameStore.create(tmp_path / "names.db"):
        pass
    assert names(tmp_path) == ["names.db"]


def test_what_a_living_process_writes_is_left_alone(tmp_path):
    with replacing(tmp_path / "x") as first:
        first.write(b"first")
        with new_folder(tmp_path / "x.folder") as folder:
            replace_file(tmp_path / "x", b"second")
            assert folder.is_dir()
        assert (tmp_path / "x").read_bytes() == b"second"
    assert (tmp_path / "x").read_bytes() == b"first"
    assert names(tmp_path) == ["x", "x.folder"]


def test_leftovers_of_processes_that_worked_at_the_same_time_are_all_removed(tmp_path):
    with sibling_file(tmp_path / "x"):
        killed(tmp_path / "x", "file")
        killed(tmp_path / "x", "folder")
        assert len(names(tmp_path)) == 2
    assert names(tmp_path) == []


def test_a_sibling_may_have_the_name_of_something_else(tmp_path):
    with sibling_file(tmp_path / "x") as sibling:
        pass
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere" / "kept").touch()
    sibling.symlink_to(tmp_path / "elsewhere")
    with sibling_folder(tmp_path / "x") as folder:
        assert folder != sibling
    assert (tmp_path / "elsewhere" / "kept").exists()


def test_a_name_may_be_as_long_as_names_can_be(tmp_path):
    replace_file(tmp_path / ("x" * 255), b"")
    assert names(tmp_path) == ["x" * 255]


def test_without_locks_nothing_is_removed_and_all_works(tmp_path, monkeypatch):
    killed(tmp_path / "x", "file")
    monkeypatch.setattr("dissection.files.siblings._CAN_LOCK", False)
    replace_file(tmp_path / "x", b"whole")
    assert (tmp_path / "x").read_bytes() == b"whole"
    assert len(names(tmp_path)) == 2


def test_many_processes_that_write_one_file_each_write_all_of_it(tmp_path):
    code = """
import sys
from pathlib import Path
from dissection.files.atomic import replace_file
for number in range(200):
    replace_file(Path(sys.argv[1]), sys.argv[2].encode() * 10_000)
"""
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[1])}
    processes = [
        subprocess.Popen([sys.executable, "-c", code, tmp_path / "x", letter], env=environment) for letter in "abc"
    ]
    while any(process.poll() is None for process in processes):
        if (tmp_path / "x").exists():
            assert (tmp_path / "x").read_bytes() in {letter * 10_000 for letter in (b"a", b"b", b"c")}
        time.sleep(0.001)
    assert [process.wait() for process in processes] == [0, 0, 0]
    assert names(tmp_path) == ["x"]


def test_a_folder_that_cannot_be_written_is_said(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(OutputError, match="cannot write"):
        replace_file(tmp_path / "file" / "x", b"")
