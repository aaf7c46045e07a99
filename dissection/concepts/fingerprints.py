"""A fingerprint of a concept dataset: the same for the same data anywhere; whatever can change a name changes it."""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING, Protocol, runtime_checkable

from dissection.files.paths import readable
from dissection.files.read_files import ReadFiles

from .problems import BadFileError

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from .dataset import ConceptDataset
    from .problems import Counter

_PIECE = 2**16


@runtime_checkable
class Describable(Protocol):
    """A dataset that can say, without reading its files, what else an image's labels depend on."""

    def fingerprint_extra(self, index: int) -> str:
        """Sizes and whole-image labels: all that the files do not hold."""
        ...


def fingerprint(dataset: ConceptDataset, *, progress: Counter | None = None, read: ReadFiles | None = None) -> str:
    """The sha256, in hexadecimal, of the vocabulary and of every image's name, files and ``fingerprint_extra``.

    Args:
        dataset: the dataset.
        progress: called with the images done and all of them.
        read: takes in the files, so that :func:`changed_file` can tell whether they have changed since.

    Raises:
        ConceptDataError: if a file cannot be read.
    """
    read = read or ReadFiles()
    words = [[c.number, c.name, c.category] for c in dataset.concepts.values()]
    total = hashlib.sha256(json.dumps([words, list(dataset.categories), len(dataset)]).encode())
    for index in range(len(dataset)):
        parts = [dataset.image_name(index).encode(), fingerprint_extra(dataset, index).encode()]
        # digests have one length, so that content cannot move from one part to the next unnoticed
        for digest in (*(hashlib.sha256(part).digest() for part in parts), _digest(dataset.files(index), read)):
            total.update(digest)
        if progress is not None:
            progress(index + 1, len(dataset))
    return total.hexdigest()


def fingerprint_extra(dataset: ConceptDataset, index: int) -> str:
    """What the labels of an image depend on besides the contents of its files."""
    if isinstance(dataset, Describable):
        return readable(dataset.fingerprint_extra(index))
    labels = dataset.labels(index)
    return json.dumps([labels.maps.shape, labels.whole])


def changed_file(dataset: ConceptDataset, read: ReadFiles) -> Path | None:
    """The first file of a dataset that is not as it was fingerprinted."""
    return read.first_changed(file for index in range(len(dataset)) for file in dataset.files(index))


def _digest(files: Iterable[Path], read: ReadFiles) -> bytes:
    total = hashlib.sha256()
    for file in files:
        try:
            total.update(_digest_of(file, read))
        except OSError as error:
            raise BadFileError(file, f"it cannot be read ({error.strerror}); run concepts check") from error
    return total.digest()


def _digest_of(file: Path, read: ReadFiles) -> bytes:
    """As ``hashlib.file_digest``, which takes longer to allocate its buffer than to read a small file."""
    digest = hashlib.sha256()
    with read.open(file) as stream:
        while piece := stream.read(_PIECE):
            digest.update(piece)
    return digest.digest()
