"""A folder with a page, its JSON and its pictures, which knows what it holds: nothing stale is left in it."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from dissection.errors import OutputError
from dissection.files.atomic import replace_file, unwritable
from dissection.files.leftovers import sweep, temporary_sibling
from dissection.files.paths import leads_out, readable
from neuronexplain.answer import AnswerPair
from neuronexplain.caption import CaptionAnswer
from neuronexplain.pictures.overlay import method_picture, overlay, save_picture, side_by_side
from neuronexplain.serialise import caption_to_json, pair_to_json, to_json

from .page import write_page

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Sequence

    from neuronexplain.answer import Answer
    from neuronexplain.caption import AnyAnswer

    from .sections import ClassSection, NeuronCard

Paths = Mapping[str, str]
HEATMAP = ""
"""The key of the heat map's picture among those of methods."""
PAGE, VALUES = "index.html", "explanations.json"
MANIFEST = "page-files.json"
"""Lists the files of a page in its folder; it comes before them, so that what a killed process left is known."""
UNFINISHED = ".page-unfinished"
"""Stands in the folder from before a page is put there until all is done: such a page may be replaced."""


def require_free(folder: Path, images: Iterable[str], *, replace: bool = False) -> None:
    """Check that a page about images can be written into a folder: before the work, which would be lost.

    What a killed process left beside the folder is removed first.

    Args:
        folder: the folder; there need be none yet.
        images: the images' names.
        replace: whether a page that is there already may be replaced.

    Raises:
        OutputError: if it holds another page, or a file of somebody else's would be overwritten.
    """
    sweep(folder.absolute().parent)
    written = _listed(folder)
    if written is not None and not replace and not (folder / UNFINISHED).exists():
        raise OutputError(f"{folder} holds a page already; name another folder, or replace it with --replace")
    _require_not_theirs(folder, [PAGE, VALUES, *_names(list(images))], written or ())
    existing = next(path for path in (folder, *folder.absolute().parents) if path.exists())
    if not existing.is_dir():
        raise OutputError(f"cannot write {folder} ({existing} is a file); name a place that can be written")
    if not os.access(existing, os.W_OK | os.X_OK):
        raise OutputError(f"cannot write {folder} ({existing} may not be written to); name a place that can be written")


def write_folder(
    folder: Path,
    explanations: Sequence[AnyAnswer],
    *,
    title: str,
    facts: Mapping[str, str],
    classes: Sequence[ClassSection] = (),
    neurons: Sequence[NeuronCard] = (),
    replace: bool = False,
    missing: Sequence[str] = (),
) -> list[dict[str, object]]:
    """Write a page, its JSON and a picture of each explanation, in place of the page that was there, if any.

    Other methods' pictures go into subfolders. A page from which something is missing stays unfinished: the next one
    replaces it without being asked to.

    Returns:
        The values of the JSON, with the paths of the pictures.

    Raises:
        OutputError: as :func:`require_free`, or if something cannot be written.
    """
    require_free(folder, (explanation.image for explanation in explanations), replace=replace)
    answers = [answer for explanation in explanations for answer in _answers(explanation)]
    files = [
        {HEATMAP: name} | {other.method.name: f"{other.method.name}/{name}" for other in answer.others}
        for answer, name in zip(answers, _names([answer.image for answer in answers]), strict=True)
    ]
    shown = iter([{method: readable(folder / path) for method, path in paths.items()} for paths in files])
    values = [_value(explanation, [next(shown) for _ in _answers(explanation)]) for explanation in explanations]
    listed = [*(path for paths in files for path in paths.values()), VALUES, PAGE]
    _require_not_theirs(folder, listed, _listed(folder) or ())
    try:
        folder.absolute().parent.mkdir(parents=True, exist_ok=True)
        with temporary_sibling(folder) as sibling:
            sibling.mkdir()
            for answer, paths in zip(answers, files, strict=True):
                _write_pictures(sibling, answer, paths)
            replace_file(sibling / VALUES, _json(values))
            write_page(sibling / PAGE, explanations, title=title, facts=facts, classes=classes, neurons=neurons)
            manifest = json.dumps({"files": listed}, indent=2).encode()  # ASCII, with odd names as they are
            replace_file(sibling / MANIFEST, manifest)
            _move(sibling, folder, [MANIFEST, *listed])
        if not missing:
            (folder / UNFINISHED).unlink()
    except OSError as error:
        raise unwritable(folder, error) from error
    return values


def _require_not_theirs(folder: Path, paths: Iterable[str], ours: Collection[str]) -> None:
    for path in paths:
        if path not in ours and (folder / path).exists():
            raise OutputError(f"{folder / path} exists and is no part of a page of ours; name another folder")


def _value(explanation: AnyAnswer, pictures: Sequence[Paths]) -> dict[str, object]:
    """An explanation as JSON values, with the paths of each answer's pictures by method."""
    if isinstance(explanation, AnswerPair):
        heatmaps = [paths.get(HEATMAP) for paths in pictures]
        return pair_to_json(explanation, heatmaps=heatmaps, methods=pictures)
    if isinstance(explanation, CaptionAnswer):
        heatmaps = [paths.get(HEATMAP) for paths in pictures]
        return caption_to_json(explanation, heatmaps=heatmaps, methods=pictures)
    return to_json(explanation, heatmap=pictures[0].get(HEATMAP), methods=pictures[0])


def _answers(explanation: AnyAnswer) -> Sequence[Answer]:
    if isinstance(explanation, CaptionAnswer):
        return [answer for _, answer in explanation.explained]
    return explanation.answers if isinstance(explanation, AnswerPair) else (explanation,)


def _write_pictures(folder: Path, answer: Answer, paths: Paths) -> None:
    photograph = answer.photograph
    save_picture(side_by_side(photograph, overlay(photograph, answer.heatmap)), folder / paths[HEATMAP])
    for other in answer.others:
        path = folder / paths[other.method.name]
        path.parent.mkdir(exist_ok=True)
        save_picture(method_picture(photograph, other), path)


def _names(images: Sequence[str]) -> Iterator[str]:
    """A file name for each image's picture; of images of one name, the later ones are numbered."""
    taken = {Path(name).stem for name in (PAGE, VALUES, MANIFEST)}
    for image in images:
        stem = name = Path(image).stem
        number = 2
        while name in taken:
            name = f"{stem}-{number}"
            number += 1
        taken.add(name)
        yield f"{name}.png"


def _json(value: object) -> bytes:
    return json.dumps(value, indent=2, ensure_ascii=False).encode()


def _move(folder: Path, target: Path, paths: Sequence[str]) -> None:
    """Move files into a folder, in this order, in place of the page that it holds."""
    target.mkdir(exist_ok=True)
    (target / UNFINISHED).touch()
    _remove(target)
    for path in paths:
        (target / path).parent.mkdir(exist_ok=True)
        (folder / path).replace(target / path)


def _listed(folder: Path) -> list[str] | None:
    """The files of the page in a folder; ``None`` if there is no page of ours.

    Raises:
        OutputError: if the list is damaged, or leads out of the folder.
    """
    try:
        files = json.loads((folder / MANIFEST).read_bytes())["files"]
        paths = [path for path in files if isinstance(path, str) and not leads_out(path)]
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        raise unwritable(folder, error) from error
    except (ValueError, TypeError, KeyError):
        files, paths = [None], []
    if len(paths) < len(files):
        raise OutputError(f"{folder / MANIFEST} is damaged; remove the folder, or name another one")
    return paths


def _remove(folder: Path) -> None:
    """Remove the page that a folder holds, and subfolders that become empty; nothing else."""
    files = _listed(folder) or []
    for path in files:
        (folder / path).unlink(missing_ok=True)
    for subfolder in {(folder / path).parent for path in files} - {folder}:
        if subfolder.is_dir() and not any(subfolder.iterdir()):
            subfolder.rmdir()
    (folder / MANIFEST).unlink(missing_ok=True)
