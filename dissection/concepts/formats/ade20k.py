"""ADE20K (Zhou et al. 2017, 2019): the full dataset in both releases, and its benchmark of 150 objects.

::

    ADE20K_2016_07_26/images/training/b/bakery/shop/ADE_train_00001230.jpg                letter, scene
    ADE20K_2016_07_26/index_ade20k.mat                                                    names: index.objectnames
    ADE20K_2021_17_01/images/ADE/training/urban/street/ADE_train_00016869.jpg             theme, scene
    ADE20K_2021_17_01/images/ADE/training/urban/street/ADE_train_00016869.json            names: name_ndx, name

Both have, beside ``NAME.jpg``, ``NAME_seg.png`` (objects) and ``NAME_parts_1.png``, ``NAME_parts_2.png``, ... (parts,
parts of parts). A pixel's code is ``256 (R // 10) + G``: a name's place in the index, from 1. B tells instances apart.
``NAME_atr.txt`` adds only attributes.
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from dissection.concepts.formats.shared.label_table import Label, LabelTable
from dissection.concepts.formats.shared.matlab import matlab_text, read_variable, structures
from dissection.concepts.formats.shared.photograph_folder import Published, locate, read_text
from dissection.concepts.formats.shared.scene_parsing import NO_SCENE, SceneParsing
from dissection.concepts.label_maps import read_colors
from dissection.concepts.problems import BadFileError
from dissection.vocabulary import Labels

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from jaxtyping import Int32

    from dissection.concepts.dataset import ConceptDataset

_SPLITS = {"training", "validation"}


def open_ade20k(src: Path, *, label_size: int) -> ConceptDataset:
    """ADE20K in any release: that of 2016, that of 2021, or the benchmark of 150 objects."""
    benchmark = any(next(src.glob(f"{deep}objectInfo150.txt"), None) for deep in ("", "*/", "*/*/"))
    return (SceneParsing if benchmark else Ade20k)(src, label_size=label_size)


class Ade20k(Published):
    """ADE20K: objects, parts, and scenes by the names of their folders.

    A name can be that of an object and that of a part: these are two concepts.
    """

    attribution = (
        "ADE20K (Zhou, Zhao, Puig, Xiao, Fidler, Barriuso, Torralba: Semantic Understanding of Scenes through the "
        "ADE20K Dataset, IJCV 2019), https://groups.csail.mit.edu/vision/datasets/ADE20K/. For the terms of use, "
        "non-commercial research and education, see https://groups.csail.mit.edu/vision/datasets/ADE20K/terms/.\n"
    )

    def __init__(self, src: Path, *, label_size: int) -> None:
        images = locate(src, "images")
        photographs = sorted(_photographs(images))
        scenes = [_scene(file.relative_to(images)) for file in photographs]
        codes = {scene: code for code, scene in enumerate(sorted({*scenes} - {""}), start=1)}
        objects, table = _names(images.parent, photographs)
        label_table = LabelTable(
            (
                *(Label(category, code, name) for category in ("object", "part") for code, name in objects.items()),
                *(Label("scene", code, scene) for scene, code in codes.items()),
            ),
            table,
        )
        self._scenes = [label_table.codes("scene")[codes[scene]] if scene else 0 for scene in scenes]
        super().__init__(images.parent, photographs, images, label_table, label_size)

    def labels(self, index: int) -> Labels:
        """A map of objects, maps of parts, and the scene."""
        layers = []
        for level, file in enumerate(self.files(index)[1:]):
            codes = _read_codes(file)
            self._check_size(file, [codes.shape], index)
            layers.append(self._table.label_map(file, codes, "part" if level else "object", self._label_size))
        return Labels(self._stack(layers), self._whole(index))

    def files(self, index: int) -> Sequence[Path]:
        """The photograph, its objects, and its parts by level."""
        photograph = self._photographs[index]
        files = [photograph, photograph.with_name(f"{photograph.stem}_seg.png")]
        while (parts := photograph.with_name(f"{photograph.stem}_parts_{len(files) - 1}.png")).exists():
            files.append(parts)
        return files

    def _whole(self, index: int) -> tuple[int, ...]:
        return (self._scenes[index],) if self._scenes[index] else ()


def _photographs(images: Path) -> Iterator[Path]:
    """Every photograph; the folders of instances in the release of 2021, a million files, are skipped."""
    for folder, folders, files in os.walk(images):
        stems = {name.removesuffix(".jpg") for name in files if name.endswith(".jpg")}
        folders[:] = [name for name in folders if name not in stems]
        yield from (Path(folder, f"{stem}.jpg") for stem in stems)


def _scene(file: Path) -> str:
    """The folders below the letter (2016) or theme (2021); nothing where ADE20K says that there is no scene."""
    folders = list(file.parts[:-1])
    while folders and folders.pop(0) not in _SPLITS:
        pass
    names = folders[1:]
    return "" if not names or NO_SCENE & set(folders) or names[0].startswith("~") else " ".join(names)


def _names(root: Path, photographs: Iterable[Path]) -> tuple[Mapping[int, str], str]:
    """The name of each code, and where the names are from."""
    index = next(iter(sorted(root.glob("index*.mat"))), None)
    if index is not None:
        return _index_names(index), index.name
    names: dict[int, str] = {}
    for photograph in photographs:
        file = photograph.with_suffix(".json")
        if not file.exists():
            raise BadFileError(
                file, f"there is no such file, and no index_ade20k.mat in {root.name}; one of them is needed"
            )
        for code, name in _annotation_names(file):
            names.setdefault(code, name)
    return dict(sorted(names.items())), "the JSON beside the photographs"


def _index_names(file: Path) -> dict[int, str]:
    for index in structures(file, read_variable(file, "index"), "objectnames"):
        names = index["objectnames"].ravel()
        return {code: matlab_text(file, np.asarray(name)) for code, name in enumerate(names, start=1)}
    raise BadFileError(file, "the index in it is empty; get the file again")


def _annotation_names(file: Path) -> Iterator[tuple[int, str]]:
    """The codes and names in a JSON annotation; an object without a code is in no map."""
    try:
        things = json.loads(read_text(file), strict=False)["annotation"]["object"]
        for thing in things if isinstance(things, list) else [things]:
            if isinstance(thing["name_ndx"], int) and thing["name_ndx"] > 0:
                yield thing["name_ndx"], str(thing["name"])
    except (ValueError, TypeError, LookupError, RecursionError) as error:
        why = " ".join(str(error).split())[:80]
        raise BadFileError(file, f"it is not an annotation of ADE20K ({why}); get it again") from error


def _read_codes(file: Path) -> Int32[np.ndarray, "h w"]:
    colors = np.asarray(read_colors(file)).astype(np.int32)
    codes: Int32[np.ndarray, "h w"] = colors[..., 0] // 10 * 256 + colors[..., 1]
    return codes
