"""Fetches a published dataset: its archives one after another; its folder appears once all are unpacked."""

from __future__ import annotations

import shutil
from contextlib import contextmanager, suppress
from functools import partial
from typing import TYPE_CHECKING

from filelock import FileLock, Timeout

from dissection.errors import ArchiveError, ConceptDataError, OutputError
from dissection.files.archives import lift, unpack_into
from dissection.files.atomic import new_folder, refuse_taken, unwritable
from dissection.files.downloads import download

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from dissection.execution.settings import Progress
    from dissection.files.transfers import Bytes, Patience

    from .published import PublishedDataset, PublishedFile


def fetch(
    source: PublishedDataset,
    target: Path,
    *,
    files: Sequence[Path] = (),
    mirror: str | None = None,
    progress: Progress | None = None,
    patience: Patience | None = None,
) -> None:
    """Fetch a dataset into a new folder.

    Archives are kept in ``TARGET.archives`` meanwhile, from where an interrupted fetch is resumed. A note on origin and
    terms is put beside the data.

    Args:
        source: the dataset.
        target: the folder; it must be missing or empty.
        files: archives that the user already has; they stay as they are.
        mirror: address of a copy, which replaces the scheme and host of each address.
        progress: called with the stage, the bytes done and their total.
        patience: how long to wait for a server.

    Raises:
        DownloadError: if an archive cannot be fetched, or is not the one that was published.
        ArchiveError: if one cannot be unpacked.
        ConceptDataError: if a file is not one of the dataset's, or another process is fetching the dataset.
        OutputError: if ``target`` is not empty or cannot be written.
    """
    waiting = target.with_name(f"{target.name}.archives")
    _tidy(source, target, waiting)
    refuse_taken(target)
    places = {file: waiting / file.name for file in source.files} | _user_files(source, files)
    with _locked(waiting):
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
                with _deleting_bad(place, waiting):
                    _unpack(file, place, folder, _of_stage(progress, f"unpacking {file.name}"))
            lift(folder)
            (folder / _note_name(source)).write_text(_note(source), encoding="utf-8")
        shutil.rmtree(waiting, ignore_errors=True)


def _unpack(file: PublishedFile, place: Path, folder: Path, progress: Bytes | None) -> None:
    unpack_into(place, folder, progress=progress)
    for inner in file.inner:
        unpack_into(folder / inner, (folder / inner).parent, progress=progress)
        (folder / inner).unlink()


@contextmanager
def _deleting_bad(archive: Path, waiting: Path) -> Iterator[None]:
    """Delete an archive that cannot be unpacked, unless it is the user's: the next fetch would use it again."""
    try:
        yield
    except ArchiveError:
        if archive.parent == waiting:
            archive.unlink()
        raise


def _tidy(source: PublishedDataset, target: Path, waiting: Path) -> None:
    """Remove what a process left that was killed when the dataset was in its place."""
    if waiting.is_dir():
        with suppress(ConceptDataError, OutputError), _locked(waiting):
            if (target / _note_name(source)).is_file():
                shutil.rmtree(waiting, ignore_errors=True)


def _note_name(source: PublishedDataset) -> str:
    return f"LICENSE-{source.name}.txt"


def _note(source: PublishedDataset) -> str:
    """The note that goes wherever the data go: their origin and terms."""
    addresses = "".join(f"  {file.url}\n" for file in source.files)
    return f"{source.name}: {source.holds}.\nTerms, in short: {source.terms}.\nPublished at\n{addresses}"


@contextmanager
def _locked(waiting: Path) -> Iterator[None]:
    """Let in one process at a time; the lock ends with its process, however that ends."""
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


def _user_files(source: PublishedDataset, files: Sequence[Path]) -> dict[PublishedFile, Path]:
    """The user's files by the published file that each is: told by name, or by any name if there is only one."""
    published = {file.name: file for file in source.files}
    paths: dict[PublishedFile, Path] = {}
    for path in files:
        if not path.is_file():
            raise ConceptDataError(f"{path}: there is no such file; check the path")
        if len(published) > 1 and path.name not in published:
            raise ConceptDataError(
                f"{path} is none of the files of {source.name}, which are {', '.join(published)}; give one of them"
            )
        file = published.get(path.name, source.files[0])
        if file in paths:
            raise ConceptDataError(f"{paths[file]} and {path} are both for {file.name}; name one of them")
        paths[file] = path
    return paths
