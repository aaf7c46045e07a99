"""Which group each photograph belongs to: a table beside a folder of photographs.

::

    groups.csv    image,group[,class]    image is a path in the folder; without a class, its first folder is the class
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import PurePath
from typing import TYPE_CHECKING

from dissection.concepts.csv_tables import header, read_table
from dissection.concepts.problems import BadFileError, stop
from dissection.errors import ClassNotFoundError, ConceptDataError
from dissection.files.paths import leads_out, readable
from dissection.images.photographs import photographs_in
from neuronexplain.class_images import ClassImages
from neuronexplain.classes import find_class

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from dissection.concepts.csv_tables import CsvRow


@dataclass(frozen=True, slots=True)
class GroupedImages:
    """Photographs with their classes and their groups.

    Attributes:
        images: the photographs that the table names, each with its class, in the order of their paths.
        groups: the group of each.
        ungrouped: photographs in the folder that the table does not name.
    """

    images: ClassImages
    groups: tuple[str, ...]
    ungrouped: int

    @property
    def names(self) -> list[str]:
        """The groups, in the order of their names."""
        return sorted(set(self.groups))


def open_groups(root: Path, table: Path, labels: Sequence[str]) -> GroupedImages:
    """Read which group, and which class, each photograph of a folder belongs to.

    Args:
        root: the folder of photographs.
        table: the CSV file.
        labels: the network's classes.

    Raises:
        ConceptDataError: if there is no such folder, the table is not in this form or names an image twice or one that
            is not there, or all are in one group.
        ClassNotFoundError: if the network has no class of a name; the message says in which line.
    """
    if not root.is_dir():
        raise ConceptDataError(f"{root} is not a folder; name the folder that the images of {table} are in")
    has_class = "class" in header(table)
    rows: dict[str, tuple[Path, int, str]] = {}

    def parse(row: CsvRow) -> None:
        name = row.text("image")
        if leads_out(name):
            raise row.bad(f"image {name!r} leads out of {root}; a path inside it is needed")
        path = root / name
        if not path.is_file():
            raise row.bad(f"there is no image {name!r} in {root}; write its path there, such as beach/1.jpg")
        key = str(path.relative_to(root))
        if key in rows:
            raise row.bad(f"image {name!r} is in the table twice; keep one of the two")
        rows[key] = path, _class_of(row, name, labels, has_class=has_class), row.text("group")

    for _ in read_table(table, ["image", "group", *(["class"] if has_class else [])], parse, stop):
        pass
    ordered = [rows[key] for key in sorted(rows)]
    groups = tuple(group for _, _, group in ordered)
    if not groups:
        raise BadFileError(table, "it has no lines; at least one image in each of two groups is needed")
    if len(set(groups)) == 1:
        raise BadFileError(table, f"all images are in one group, {groups[0]!r}; two are needed, to compare them")
    images = ClassImages(root, tuple((path, index) for path, index, _ in ordered))
    return GroupedImages(images, groups, len(set(photographs_in(root)) - {path for path, _, _ in ordered}))


def _class_of(row: CsvRow, name: str, labels: Sequence[str], *, has_class: bool) -> int:
    parts = PurePath(name).parts
    if not has_class and len(parts) < 2:
        raise row.bad(f"image {name!r} is in no folder of a class; move it into one, or add a column class")
    label = row.text("class") if has_class else parts[0]
    try:
        return find_class(labels, label)
    except ClassNotFoundError as error:
        raise ClassNotFoundError(readable(f"{row.file}: line {row.line}: {error}")) from None
