"""Opens a folder of concept data, whichever layout it has."""

from __future__ import annotations

from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING

from dissection.concepts.broden.layout import BrodenLayout
from dissection.errors import ConceptDataError, not_taken

from .plain_layout import PlainLayout
from .problems import BadFileError, stop
from .wrappers import Sized, Subset

if TYPE_CHECKING:
    from .dataset import ConceptDataset
    from .problems import ProblemReport

_LAYOUTS_NEEDED = (
    "Broden's layout (index.csv, label.csv, category.csv, images/) "
    "or the plain one (concepts.csv, images/, masks/) is needed"
)
_SHOWN = 6


def open_concepts(path: str | PathLike[str], *, limit: int | None = None) -> ConceptDataset:
    """The concept dataset in a folder; with ``limit``, only that many of its images, spread evenly.

    Raises:
        ConceptDataError: if the folder has no known layout, breaks it, or holds no images.
        TypeError: if ``path`` is no path.
    """
    if not isinstance(path, str | PathLike):
        raise not_taken("path", path, "the path of a folder with concept data")
    dataset = open_layout(Path(path), stop)
    if not len(dataset):
        raise ConceptDataError(f"{path}: the dataset holds no images; at least one is needed")
    return limited(dataset, limit)


def limited(dataset: ConceptDataset, limit: int | None) -> ConceptDataset:
    """A dataset, or at most ``limit`` of its images, spread evenly.

    Raises:
        ConceptDataError: if that is none.
    """
    if limit is not None and limit < 1:
        raise ConceptDataError(f"{limit} images of {dataset.name} were asked for; ask for at least 1")
    return dataset if limit is None or limit >= len(dataset) else Subset(dataset, limit)


def open_sized(path: str | PathLike[str], *, label_size: int) -> ConceptDataset:
    """The concept dataset in a folder, with label maps of ``label_size`` x ``label_size`` (nearest neighbour, once)."""
    dataset = open_concepts(path)
    if isinstance(dataset, PlainLayout):
        return PlainLayout(Path(path), label_size=label_size)
    return Sized(dataset, label_size)


def open_layout(root: Path, report: ProblemReport) -> BrodenLayout | PlainLayout:
    """Read a folder in the layout that it has; problems with its tables are reported.

    Raises:
        ConceptDataError: if it has no known layout.
    """
    if not root.exists():
        raise BadFileError(root, "there is no such folder; check the path")
    if not root.is_dir():
        raise BadFileError(
            root,
            "this is a file; a folder is needed: unpack an archive, or have concepts fetch do it (--file)",
        )
    if (root / "index.csv").exists():
        return BrodenLayout(root, report=report)
    if (root / "concepts.csv").exists() and (root / "images").is_dir() and (root / "masks").is_dir():
        return PlainLayout(root, report=report)
    names = sorted(file.name + "/" * file.is_dir() for file in root.iterdir())
    shown = ", ".join(names[:_SHOWN]) + (f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else "")
    raise BadFileError(root, f"found in it: {shown or 'nothing'}; {_LAYOUTS_NEEDED}")
