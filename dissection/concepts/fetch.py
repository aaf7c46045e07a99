"""Fetches a published dataset: its archives come one after the other, and its folder appears when all are unpacked."""

from __future__ import annotations

import shutil
from contextlib import contextmanager, suppress
from functools import partial
from typing import TYPE_CHECKING

from filelock import FileLock, Timeout

from dissection.errors import ArchiveError, ConceptDataError
from dissection.files.archives import lift, unpack_into
from dissection.files.atomic import new_folder, refuse_taken, unwritable
from dissection.files.downloads import download

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from dissection.execution.settings import Progress
    from dissection.files.transfers import Bytes, Patience

    from .published import PublishedFile, Source


def fetch(
    source: Source,
    target: Path,
    *,
    files: Sequence[Path] = (),
    mirror: str | None = None,
    progress: Progress | None = None,
    patience: Patience | None = None,
) -> None:
    """Fetch a dataset into a new folder.

    Archives wait in ``TARGET.archives`` meanwhile, from where a fetch that was interrupted goes on. A note on origin
    and terms is put beside the data.

    Args:
        source: the dataset.
        target: the folder; it must not exist, or be empty.
        files: archives that are at hand already; they are left as they are.
        mirror: address of a copy, in place of the scheme and host of each address.
        progress: is told about bytes.
        patience: how long is waited for a server.

    Raises:
        DownloadError: if an archive cannot be had, or is not what was published.
        ArchiveError: if one cannot be unpacked.
        ConceptDataError: if a file is none of the dataset's, or another process fetches the same.
        OutputError: if ``target`` holds something, or cannot be written.
    """
    refuse_taken(target)
    waiting = target.with_name(f"{target.name}.archives")
    places = {file: waiting / file.name for file in source.files} | _at_hand(source, files)
    with _alone(waiting):
        for file, place in places.items():
            download(
                file.url,
                place,
                size=file.size,
                digest=file.digest,
                mirror=mirror,
                by_hand="name it with --file",
                progress=_of_stage(progress, f"fetching {file.name}"),
                patience=patience,
            )
        with new_folder(target) as folder:
            for file, place in places.items():
                with _trusted(place, waiting):
                    _unpack(file, place, folder, _of_stage(progress, f"unpacking {file.name}"))
            lift(folder)
            (folder / f"LICENSE-{source.name}.txt").write_text(_note(source), encoding="utf-8")
        shutil.rmtree(waiting, ignore_errors=True)


def _unpack(file: PublishedFile, place: Path, folder: Path, progress: Bytes | None) -> None:
    unpack_into(place, folder, progress=progress)
    for inner in file.inner:
        unpack_into(folder / inner, (folder / inner).parent, progress=progress)
        (folder / inner).unlink()


@contextmanager
def _trusted(archive: Path, waiting: Path) -> Iterator[None]:
    """An archive that cannot be unpacked is not kept, unless it is the user's: the next fetch would meet it again."""
    try:
        yield
    except ArchiveError:
        if archive.parent == waiting:
            archive.unlink()
        raise


def _note(source: Source) -> str:
    """What goes with the data wherever they go: where they are from, and under which terms."""
    addresses = "".join(f"  {file.url}\n" for file in source.files)
    return f"{source.name}: {source.holds}.\nTerms, in short: {source.terms}.\nPublished at\n{addresses}"


@contextmanager
def _alone(waiting: Path) -> Iterator[None]:
    """One process at a time; the lock ends with its process, however that ends."""
    try:
        waiting.mkdir(parents=True, exist_ok=True)
        with FileLock(waiting / "lock", timeout=0):
            try:
                yield
            finally:
                (waiting / "lock").unlink(missing_ok=True)
                with suppress(OSError):
                    waiting.rmdir()
    except Timeout:
        raise ConceptDataError(f"another process is filling {waiting}; wait for it to end") from None
    except OSError as error:
        raise unwritable(waiting, error, "name another place") from error


def _of_stage(progress: Progress | None, stage: str) -> Bytes | None:
    return None if progress is None else partial(progress, stage)


def _at_hand(source: Source, files: Sequence[Path]) -> dict[PublishedFile, Path]:
    """The files that a user has, by what they are: by name, or whatever its name where a dataset has only one."""
    wanted = {file.name: file for file in source.files}
    found = {}
    for path in files:
        if not path.is_file():
            raise ConceptDataError(f"{path}: there is no such file; check the path")
        if len(wanted) > 1 and path.name not in wanted:
            raise ConceptDataError(f"{path} is none of the files of {source.name}, which are {', '.join(wanted)}")
        found[wanted.get(path.name, source.files[0])] = path
    return found
