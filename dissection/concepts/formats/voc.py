"""Pascal VOC's segmentation (Everingham et al. 2010), as its development kit lays it out.

::

    VOC2012/JPEGImages/2007_000032.jpg
    VOC2012/SegmentationClass/2007_000032.png       palette: 1 to 20, 255 = boundaries and omitted objects
    VOC2012/ImageSets/Segmentation/trainval.txt     names of images, one per line
    VOC2012/labelmap.txt                            colours of the classes, from annotation tools

torchvision's ``VOCSegmentation`` reads one list at a time from a folder that must be called ``VOCdevkit``; the tests
compare with it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from dissection.concepts.formats.shared.label_table import Label, LabelTable
from dissection.concepts.formats.shared.photograph_folder import Published, locate, read_lines
from dissection.concepts.formats.shared.voc_classes import CLASSES
from dissection.concepts.formats.shared.voc_masks import BOUNDARY, read_colours, read_voc_mask
from dissection.concepts.problems import BadFileError
from dissection.files.paths import leads_out
from dissection.vocabulary import Labels

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path


class Voc(Published):
    """A year of VOC: 20 objects. Of test images only those with masks count."""

    attribution = (
        "The PASCAL Visual Object Classes challenge (Everingham, Van Gool, Williams, Winn, Zisserman, IJCV 2010), "
        "http://host.robots.ox.ac.uk/pascal/VOC/. The photographs are from flickr, whose terms of use apply; their "
        "owners keep their rights.\n"
    )

    def __init__(self, src: Path, *, label_size: int) -> None:
        root = locate(src, "SegmentationClass").parent
        self._colours = read_colours(root)
        self._masks = [root / "SegmentationClass" / f"{name}.png" for name in _listed(root)]
        label_table = LabelTable(
            (Label("object", code, names) for code, names in enumerate(CLASSES.values(), start=1)),
            "VOC",
            ignored={BOUNDARY},
        )
        photographs = [root / "JPEGImages" / f"{mask.stem}.jpg" for mask in self._masks]
        super().__init__(root, photographs, root / "JPEGImages", label_table, label_size)

    def labels(self, index: int) -> Labels:
        """One map; boundaries are 0."""
        file = self._masks[index]
        codes = read_voc_mask(file, self._colours)
        self._check_size(file, [codes.shape], index)
        return Labels(self._stack([self._table.label_map(file, codes, "object", self._label_size)]))

    def files(self, index: int) -> Sequence[Path]:
        """The photograph and the mask."""
        return [self._photographs[index], self._masks[index]]


def _listed(root: Path) -> list[str]:
    """Names of the images with masks, in order."""
    folder = root / "ImageSets" / "Segmentation"
    masks = root / "SegmentationClass"
    names = {
        name
        for file in folder.glob("*.txt")
        for name in voc_names(file)
        if file.stem != "test" or (masks / f"{name}.png").exists()
    }
    if not names:
        raise BadFileError(folder, "there are no lists of images in it; trainval.txt is needed")
    return sorted(names)


def voc_names(file: Path) -> list[str]:
    """The images of a list: the first word of each line.

    Raises:
        BadFileError: if it cannot be read, or a name could lead to another folder.
    """
    names = [line.split()[0] for line in read_lines(file)]
    for name in names:
        if leads_out(name) or "/" in name:
            raise BadFileError(file, f"{name!r} is not an image's name; a name without folders is needed")
    return names
