"""The scene parsing benchmark of ADE20K (Zhou et al. 2017): its 150 most frequent objects.

::

    ADEChallengeData2016/images/training/ADE_train_00000001.jpg             and validation/
    ADEChallengeData2016/annotations/training/ADE_train_00000001.png        grey: 1 to 150, 0 = something else
    ADEChallengeData2016/objectInfo150.txt                                  Idx, Ratio, Train, Val, (Stuff,) Name; tabs
    ADEChallengeData2016/sceneCategories.txt                                ADE_train_00000001 airport_terminal
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from dissection.concepts.csv_tables import is_number
from dissection.concepts.label_maps import read_index_mask
from dissection.concepts.problems import BadFileError
from dissection.images.photographs import photographs_in
from dissection.vocabulary import Labels

from .label_table import Label, LabelTable
from .photograph_folder import Published, locate, read_lines

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

NO_SCENE = {"misc", "outliers", "unclassified"}
"""ADE20K's names for images without a scene."""


class SceneParsing(Published):
    """ADEChallengeData2016: objects, and scenes if there is a list of them."""

    attribution = (
        "ADE20K scene parsing benchmark (Zhou, Zhao, Puig, Fidler, Barriuso, Torralba: Scene Parsing through ADE20K "
        "Dataset, CVPR 2017), http://sceneparsing.csail.mit.edu/. For the terms of use, non-commercial research and "
        "education, see https://groups.csail.mit.edu/vision/datasets/ADE20K/terms/.\n"
    )

    def __init__(self, src: Path, *, label_size: int) -> None:
        table = locate(src, "objectInfo150.txt")
        root = table.parent
        scenes = _scenes(root / "sceneCategories.txt")
        names = sorted({*scenes.values()} - NO_SCENE)
        codes = {name: code for code, name in enumerate(names, start=1)}
        label_table = LabelTable(
            (*_objects(table), *(Label("scene", code, name) for name, code in codes.items())), table.name
        )
        photographs = photographs_in(root / "images")
        super().__init__(root, photographs, root / "images", label_table, label_size)
        self._scenes = {
            image: label_table.codes("scene")[codes[name]] for image, name in scenes.items() if name in codes
        }

    def labels(self, index: int) -> Labels:
        """One map, and the scene."""
        file = self._mask(index)
        codes = read_index_mask(file)
        self._check_size(file, [codes.shape], index)
        maps = self._stack([self._table.label_map(file, codes, "object", self._label_size)])
        return Labels(maps, self._whole(index))

    def files(self, index: int) -> Sequence[Path]:
        """The photograph and the mask."""
        return [self._photographs[index], self._mask(index)]

    def _mask(self, index: int) -> Path:
        file = self._photographs[index].relative_to(self._base).with_suffix(".png")
        return self._base.parent / "annotations" / file

    def _whole(self, index: int) -> tuple[int, ...]:
        scene = self._scenes.get(self._photographs[index].stem)
        return () if scene is None else (scene,)


def _objects(table: Path) -> Iterator[Label]:
    header, *lines = read_lines(table) or [""]
    columns = [column.strip().lower() for column in header.split("\t")]
    if not {"idx", "name"} <= set(columns):
        raise BadFileError(table, f"its first line reads {header[:40]!r}; Idx and Name are needed, separated by tabs")
    for line in lines:
        row = dict(zip(columns, (cell.strip() for cell in line.split("\t")), strict=False))
        if not is_number(row.get("idx", "")) or not row.get("name"):
            raise BadFileError(table, f"{line[:40]!r} has no number or no name; get the file again")
        yield Label("object", int(row["idx"]), row["name"])


def _scenes(file: Path) -> dict[str, str]:
    """The scene of each image, if there is a list of them."""
    lines = [line.split(maxsplit=1) for line in (read_lines(file) if file.exists() else ())]
    for line in lines:
        if len(line) != 2:
            raise BadFileError(
                file, f"{line[0][:40]!r} has no scene; a line like 'ADE_train_00000001 street' is needed"
            )
    return {line[0]: line[1] for line in lines}
