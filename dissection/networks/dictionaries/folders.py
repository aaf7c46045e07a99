"""Reads a dictionary's folder, whichever tool wrote it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from dissection.errors import NetworkError

from .formats import dictionary_learning, sae_lens, saev

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from os import PathLike

    from .dictionary import Dictionary

_READERS: Mapping[str, Callable[[Path], Dictionary]] = {
    sae_lens.SETTINGS: sae_lens.read_sae_lens,
    dictionary_learning.STATE: dictionary_learning.read_dictionary_learning,
    saev.FILE: saev.read_saev,
}
"""By the file that tells whose folder it is."""


def read_dictionary(folder: str | PathLike[str]) -> Dictionary:
    """The dictionary in a folder of SAELens, of ``dictionary_learning`` or of saev.

    Raises:
        NetworkError: if there is none, or it computes what cannot be computed here; the message names what.
        WeightsError: if its tensors cannot be read, or hold code.
    """
    path = Path(folder).expanduser().resolve()
    for name, read in _READERS.items():
        if (path / name).is_file():
            return replace(read(path), folder=str(path))
    what = "holds no dictionary" if path.is_dir() else "is no folder"
    raise NetworkError(
        f"{path} {what}; name a folder with {sae_lens.SETTINGS} (SAELens), {dictionary_learning.STATE} "
        f"(dictionary_learning) or {saev.FILE} (saev)"
    )
