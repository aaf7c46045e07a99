"""Published datasets, read in place: one module per layout, imported on demand.

Each class implements ``ConceptDataset``, ``Noted`` and ``Describable``, is constructed as ``(src, *, label_size)`` and
gives label maps of ``label_size`` x ``label_size``.
"""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING

from dissection.errors import ConceptDataError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from os import PathLike

    from dissection.concepts.dataset import ConceptDataset

_PACKAGE = __name__
_ARCHIVES = {".zip", ".tar", ".tgz", ".gz", ".bz2", ".xz"}


@dataclass(frozen=True, slots=True)
class Format:
    """A layout that can be converted.

    Attributes:
        name: its name for ``--from``.
        description: the data it reads, in one line.
        place: its class, as ``module:Class`` in this package.
        extra: the extra of this project that it needs; empty if it needs none.
        columns: the roles of columns that users may name, if it is a table.
    """

    name: str
    description: str
    place: str
    extra: str = ""
    columns: tuple[str, ...] = ()

    def open(
        self, src: str | PathLike[str], *, label_size: int, columns: Mapping[str, str] = MappingProxyType({})
    ) -> ConceptDataset:
        """The dataset in ``src``, with label maps of ``label_size`` x ``label_size``.

        Args:
            src: the dataset's folder or file.
            label_size: height and width of the label maps.
            columns: names of columns by role; the others are detected.

        Raises:
            ConceptDataError: if it has another layout, lacks the columns, or needs a package that is not installed.
        """
        unknown = [column for column in columns if column not in self.columns]
        if unknown:
            raise ConceptDataError(f"{self.name} has no column of {unknown[0]} to name; leave it out")
        module, _, name = self.place.partition(":")
        if Path(src).is_file() and Path(src).suffix.lower() in _ARCHIVES:
            raise ConceptDataError(
                f"{src}: this is an archive; unpack it first: neuronexplain concepts fetch NAME --file {src}"
            )
        with needing(self.extra, f"reading {self.name}"):
            dataset = getattr(import_module(f".{module}", _PACKAGE), name)
        opened: ConceptDataset = dataset(Path(src), label_size=label_size, **columns)
        if not len(opened):
            raise ConceptDataError(f"{src}: there are no images in it; at least one is needed")
        return opened


@contextmanager
def needing(extra: str, what: str) -> Iterator[None]:
    """Wraps imports that need the packages of an extra of this project; an empty name stands for none.

    Raises:
        ConceptDataError: if they are not installed; the error says how to install them.
    """
    try:
        yield
    except ModuleNotFoundError as error:
        if not extra:
            raise
        missing = f"{what} needs the package {error.name}, which is not installed"
        raise ConceptDataError(f"{missing}; pip install 'neuronexplain[{extra}]'") from error


_ALL = (
    Format("masks", "photographs with index masks: images/, masks/ and concepts.csv", "masks:Masks"),
    Format("broden", "Broden's own layout, at another size or with rare concepts left out", "broden_resized:Broden"),
    Format("ade20k", "ADE20K, full (2016 or 2021) or the scene parsing benchmark of 150 objects", "ade20k:open_ade20k"),
    Format("voc", "PASCAL VOC with SegmentationClass", "voc:Voc"),
    Format(
        "pascal-context",
        "PASCAL Context in one folder with VOC 2010: trainval/*.mat, labels.txt and JPEGImages",
        "pascal_context:PascalContext",
    ),
    Format(
        "pascal-part",
        "PASCAL-Part in one folder with VOC 2010: Annotations_Part/*.mat and JPEGImages",
        "pascal_part:PascalPart",
    ),
    Format("dtd", "Describable Textures: images/ by texture", "dtd:Dtd"),
    Format(
        "hf",
        "a Hugging Face dataset on disk with columns of photographs and masks",
        "hugging_face_rows:HuggingFace",
        extra="hf",
        columns=("photographs", "masks"),
    ),
    Format(
        "coco-panoptic", "COCO's panoptic annotations: things, stuff and supercategories", "coco_panoptic:CocoPanoptic"
    ),
    Format("coco-instances", "COCO's instances: things and supercategories", "coco_instances:CocoInstances", "coco"),
    Format("coco-stuff", "COCO-Stuff's JSON files: stuff and supercategories", "coco_instances:CocoStuff", "coco"),
    Format("coco-stuff-maps", "COCO-Stuff's pixel maps (PNG): things and stuff", "coco_stuff_maps:CocoStuffMaps"),
    Format("labelme", "labelme's JSON files, with their photographs", "labelme:Labelme"),
    Format("cvat", "CVAT for images 1.1: annotations.xml and its photographs", "cvat:Cvat"),
    Format(
        "coco-polygons",
        "COCO's JSON as annotation tools export it, with photographs in any folder",
        "coco_polygons:CocoPolygons",
        "coco",
    ),
    Format(
        "yolo-seg", "Ultralytics' segmentation: data.yaml, images/ and labels/", "yolo_segments:YoloSegments", "yolo"
    ),
    Format("colors", "any concept data, adding the basic color name of each pixel", "pixel_colors:Colors"),
)

FORMATS: Mapping[str, Format] = MappingProxyType({entry.name: entry for entry in _ALL})
"""Every layout by name."""


def find_format(name: str) -> Format:
    """The layout with a name.

    Raises:
        ConceptDataError: if there is none.
    """
    if name not in FORMATS:
        raise ConceptDataError(f"there is no kind {name!r} of concept data; choose one of {', '.join(FORMATS)}")
    return FORMATS[name]
