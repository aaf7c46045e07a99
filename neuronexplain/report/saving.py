"""Writes an explanation in the form that a path's suffix names."""

from __future__ import annotations

import json
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING

from dissection.errors import OutputError
from dissection.files.atomic import new_folder, replace_file
from neuronexplain.pictures.figure import figure
from neuronexplain.serialise import to_value

from .page import write_page

if TYPE_CHECKING:
    import os
    from collections.abc import Callable, Mapping

    from neuronexplain.caption import AnyAnswer

_DOTS_PER_INCH = 150


def save(explanation: AnyAnswer, path: str | os.PathLike[str]) -> None:
    """Write an explanation as ``.html``, ``.png`` or ``.json``, or all of them into a new folder.

    Raises:
        OutputError: if the suffix is another one, the folder is not empty, or nothing can be written.
    """
    target = Path(path)
    suffix = target.suffix.lower()
    if suffix in _WRITERS and not target.is_dir():
        _WRITERS[suffix](explanation, target)
    elif not suffix or target.is_dir():
        with new_folder(target) as folder:
            for form, write in _WRITERS.items():
                write(explanation, folder / f"explanation{form}")
    else:
        forms = ", ".join(_WRITERS)
        raise OutputError(f"cannot write {path}: {suffix!r}; use {forms}, or no suffix for a folder with all of them")


def _write_page(explanation: AnyAnswer, path: Path) -> None:
    write_page(path, [explanation], title="Why the network says so", facts={})


def _write_figure(explanation: AnyAnswer, path: Path) -> None:
    encoded = BytesIO()
    figure(explanation).savefig(encoded, format="png", dpi=_DOTS_PER_INCH)
    replace_file(path, encoded.getvalue())


def _write_json(explanation: AnyAnswer, path: Path) -> None:
    value = to_value(explanation)
    replace_file(path, json.dumps(value, indent=2, ensure_ascii=False, allow_nan=False).encode("utf-8", "replace"))


_WRITERS: Mapping[str, Callable[[AnyAnswer, Path], None]] = {
    ".html": _write_page,
    ".png": _write_figure,
    ".json": _write_json,
}
