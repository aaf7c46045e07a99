"""What a killed process leaves goes with the next one; what lives, what a link leads to and what is the user's stay."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
from contextlib import suppress
from pathlib import Path

import pytest

from db import NameStore
from dissection.errors import CheckpointError, OutputError
from dissection.execution.scratch import discard, empty, scratch
from dissection.files import leftovers
from dissection.files.atomic import new_folder, replace_file, replacing
from dissection.files.leftovers import sweep, temporary_folder
from dissection.networks.pickled_weights import convert_pickle


@pytest.fixture(autouse=True)
def _another_process() -> None:
    sweep.cache_clear()


WAITING = {
    "file": "from dissection.files.atomic import replacing as w",
    "folder": "from dissection.files.atomic import new_folder as w",
}


def started(kind: str, target: Path) -> subprocess.Popen[str]:
    """A process that is in the middle of writing ``target``."""
    code = (
        f"import sys, time\n{WAITING[kind]}\n"
        "with w(sys.argv[1]) as made:\n"
        "    (made / 'a').write_text('half') if hasattr(made, 'joinpath') else made.write(b'half')\n"
        "    print('half', flush=True)\n    time.sleep(60)\n"
    )
    process = subprocess.Popen([sys.executable, "-c", code, target], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    assert process.stdout.readline() == "half\n"
    return process


@pytest.mark.parametrize("kind", WAITING)
def test_what_a_killed_process_leaves_goes_with_the_next(tmp_path: Path, kind: str) -> None:
    process = started(kind, tmp_path / "target")
    assert len(list(tmp_path.iterdir())) == 2
    sweep(tmp_path)
    assert len(list(tmp_path.iterdir())) == 2, "its process lives"
    process.send_signal(signal.SIGKILL)
    process.communicate()
    sweep.cache_clear()
    replace_file(tmp_path / "other", b"whole")
    assert [path.name for path in tmp_path.iterdir()] == ["other"]


def test_what_could_not_be_removed_goes_with_the_next(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def failing(_: Path, *, missing_ok: bool = False) -> None:
        raise OSError(5, "Input/output error")

    with monkeypatch.context() as patch, suppress(KeyboardInterrupt), replacing(tmp_path / "file") as stream:
        stream.write(b"half")
        patch.setattr(Path, "unlink", failing)
        raise KeyboardInterrupt
    assert len(list(tmp_path.glob(".*.part"))) == 1
    sweep.cache_clear()
    replace_file(tmp_path / "file", b"whole")
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


@pytest.mark.parametrize("what", ["folder", "weights"])
def test_what_a_process_leaves_that_was_killed_when_its_work_was_done_goes_with_a_refusal(
    tmp_path: Path, what: str
) -> None:
    target, lock = tmp_path / "target", tmp_path / ".0123456789abcdef.lock"
    lock.touch()
    sweep.cache_clear()
    if what == "folder":
        target.mkdir()
        (target / "whole").touch()
        with pytest.raises(OutputError, match="already exists"), new_folder(target):
            pass
    else:
        target.touch()
        with pytest.raises(OutputError, match="already exists"):
            convert_pickle(tmp_path / "any.pt", target)
    assert not lock.exists()


def test_a_killed_making_of_a_database_is_cleaned_by_the_next_that_opens_it(tmp_path: Path) -> None:
    with NameStore.create(tmp_path / "names.db"):
        pass
    process = started("folder", tmp_path / "names.db.half")
    process.kill()
    process.communicate()
    sweep.cache_clear()
    with NameStore.create(tmp_path / "names.db"):
        assert [path.name for path in tmp_path.iterdir() if path.name.startswith(".")] == []


def test_what_others_call_so_stays(tmp_path: Path) -> None:
    for name in (".0123456789abcdef.part", ".git.lock", "0123456789abcdef.lock", ".0123456789abcdeg.lock"):
        (tmp_path / name).write_text("theirs")
    replace_file(tmp_path / "new", b"whole")
    assert len(list(tmp_path.iterdir())) == 5


def test_a_link_in_the_place_of_what_was_left_is_not_followed(tmp_path: Path) -> None:
    (tmp_path / "theirs").mkdir()
    (tmp_path / "theirs" / "a").write_text("theirs")
    (tmp_path / ".0123456789abcdef.part").symlink_to(tmp_path / "theirs")
    (tmp_path / ".0123456789abcdef.lock").touch()
    sweep(tmp_path)
    assert sorted(path.name for path in tmp_path.rglob("*")) == ["a", "theirs"]


def test_writing_works_where_nothing_can_be_locked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def acquire(*_: object, **__: object) -> None:
        raise NotImplementedError

    monkeypatch.setattr(leftovers.FileLock, "acquire", acquire)
    replace_file(tmp_path / "file", b"whole")
    with new_folder(tmp_path / "deep" / "folder") as folder:
        (folder / "a").touch()
    assert sorted(path.name for path in tmp_path.rglob("*")) == ["a", "deep", "file", "folder"]
    with pytest.raises(ZeroDivisionError), replacing(tmp_path / "file"):
        raise ZeroDivisionError
    assert (tmp_path / "file").read_bytes() == b"whole"


def test_many_files_in_a_folder_are_looked_at_once(tmp_path: Path) -> None:
    for number in range(300):
        replace_file(tmp_path / f"{number}", b"")
    assert sweep.cache_info().misses == 1


# --- temporary folders


@pytest.fixture
def temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The system's folder for temporary files, of this test alone."""
    (tmp_path / "tmp").mkdir()
    monkeypatch.setenv("TMPDIR", str(tmp_path / "tmp"))
    monkeypatch.setattr(tempfile, "tempdir", None)
    return tmp_path / "tmp"


def building() -> subprocess.Popen[str]:
    """A process in the middle of a build without a scratch folder."""
    code = (
        "import sys, time\n"
        "from worlds import colour_concepts, colour_network\n"
        "from dissection.dissect import dissect_layers\n"
        "from dissection.execution.settings import Execution\n"
        "def progress(stage, done, total):\n"
        "    print('half', flush=True)\n    time.sleep(60)\n"
        "network = colour_network()\n"
        "dissect_layers(network, [network.layer], colour_concepts(4), execution=Execution(2, progress=progress))\n"
    )
    here = Path(__file__).parent
    environment = os.environ | {"PYTHONPATH": f"{here}{os.pathsep}{here.parent}"}
    process = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True, env=environment)
    assert process.stdout is not None
    assert process.stdout.readline() == "half\n"
    return process


def test_the_temporary_folder_of_a_killed_build_goes_with_the_next(temporary: Path) -> None:
    first, second = building(), building()
    assert len(list(temporary.iterdir())) == 2
    first.kill()
    first.communicate()
    with temporary_folder() as folder:
        assert folder.parent == temporary
        assert len(list(temporary.iterdir())) == 2, "its own, and that of the process that lives"
    second.kill()
    second.communicate()
    with temporary_folder() as folder:
        assert list(temporary.iterdir()) == [folder]
    assert not list(temporary.iterdir())


def test_temporary_folders_of_others_stay(temporary: Path, theirs: Path) -> None:
    (theirs / "owner.lock").touch()
    (temporary / "neuronexplain-link").symlink_to(theirs)
    for name in ("neuronexplain-0", "other"):
        (temporary / name).mkdir()
    (temporary / "other" / "owner.lock").touch()
    (temporary / "neuronexplain-file").write_text("theirs")
    before = files(theirs)
    with pytest.raises(ZeroDivisionError), temporary_folder():
        raise ZeroDivisionError
    assert sorted(path.name for path in temporary.iterdir()) == [
        "neuronexplain-0",
        "neuronexplain-file",
        "neuronexplain-link",
        "other",
    ]
    assert files(theirs) == before


# --- scratch folders


@pytest.fixture
def theirs(tmp_path: Path) -> Path:
    """Somebody's files."""
    (tmp_path / "theirs" / "deep").mkdir(parents=True)
    for path in ("theirs/000000.cells", "theirs/dissection-00000001.state", "theirs/deep/a"):
        (tmp_path / path).write_text("theirs")
    return tmp_path / "theirs"


def files(folder: Path) -> list[str]:
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())


@pytest.mark.parametrize("fresh", [True, False])
@pytest.mark.parametrize("place", ["0-of-1", "0-of-1/layer-0", "0-of-1/control", "0-of-2", "other"])
def test_links_in_a_scratch_folder_are_never_followed(tmp_path: Path, theirs: Path, place: str, fresh: bool) -> None:
    folder = tmp_path / "scratch" / "run"
    link = folder / place
    link.parent.mkdir(parents=True)
    link.symlink_to(theirs)
    before = files(theirs)
    try:
        with scratch(folder, ranks=1, rank=0, fresh=fresh) as rank_folder:
            (rank_folder / "layer-0").mkdir(exist_ok=True)
    except CheckpointError as error:
        assert not fresh
        assert str(link) in str(error)  # noqa: PT017
    (folder / "0-of-1.lock").parent.mkdir(parents=True, exist_ok=True)
    (folder / "0-of-1.lock").touch()
    discard(folder)
    assert files(theirs) == before
    if folder.exists():
        empty(folder)
    assert files(theirs) == before


def test_the_users_own_scratch_folder_stays(tmp_path: Path) -> None:
    (tmp_path / "own").mkdir()
    with scratch(tmp_path / "own" / "run", ranks=1, rank=0, fresh=False):
        pass
    assert [path.name for path in tmp_path.iterdir()] == ["own"]
    assert not list((tmp_path / "own").iterdir())
    with scratch(tmp_path / "made" / "run", ranks=1, rank=0, fresh=False):
        assert (tmp_path / "made" / "run" / "0-of-1").is_dir()
    assert not (tmp_path / "made").exists(), "it was made for the build"


def test_unfinished_work_may_lie_in_the_current_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with scratch(Path("run"), ranks=1, rank=0, fresh=False):
        assert (tmp_path / "run" / "0-of-1").is_dir()
    assert list(tmp_path.iterdir()) == []


def test_a_folder_made_for_builds_stays_while_another_is_unfinished(tmp_path: Path) -> None:
    class StoppedError(Exception):
        pass

    with pytest.raises(StoppedError), scratch(tmp_path / "made" / "one", ranks=1, rank=0, fresh=False):
        raise StoppedError
    with scratch(tmp_path / "made" / "two", ranks=1, rank=0, fresh=False):
        pass
    assert (tmp_path / "made" / "one").is_dir()
    discard(tmp_path / "made" / "one")
    assert not (tmp_path / "made").exists()


@pytest.mark.parametrize("call", ["mkdir", "touch", "rmdir", "unlink"])
def test_wherever_a_build_is_killed_the_next_one_removes_the_folder_that_was_made(
    tmp_path: Path, call: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    class KilledError(BaseException):
        pass

    def build(dies_at: int = 0) -> int:
        calls = 0
        real = getattr(Path, call)

        def counted(*arguments: object, **options: object) -> object:
            nonlocal calls
            calls += 1
            if calls == dies_at:
                raise KilledError
            return real(*arguments, **options)

        with monkeypatch.context() as patch:
            patch.setattr(Path, call, counted)
            with scratch(tmp_path / "made" / "run", ranks=1, rank=0, fresh=False):
                pass
        return calls

    calls = build()
    assert calls
    for dies_at in range(1, calls + 1):
        with pytest.raises(KilledError):
            build(dies_at)
        build()
        assert not list(tmp_path.iterdir()), f"after a kill at call {dies_at} of {call}"
