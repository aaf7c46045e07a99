"""Where concept datasets were published, as far as known, and under which terms.

These addresses come without a promise: for years users have reported that netdissect.csail.mit.edu is down at times.
Sizes and digests are those against which other projects check the same files (torchvision, GluonCV, anomalib, ...);
unknown ones are left out.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from dissection.errors import ConceptDataError

if TYPE_CHECKING:
    from collections.abc import Mapping


@dataclass(frozen=True, slots=True)
class PublishedFile:
    """An archive.

    Attributes:
        url: its address.
        size: bytes.
        digest: the published digest, such as ``md5:0123…``.
        inner: archives in it that are also unpacked, in place.
    """

    url: str
    size: int | None = None
    digest: str | None = None
    inner: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        """What the file is called."""
        return self.url.rpartition("/")[2]


@dataclass(frozen=True, slots=True)
class PublishedDataset:
    """A published dataset.

    Attributes:
        name: the name to ask for it by.
        holds: what is in it, in a few words.
        download: roughly how much is fetched.
        terms: its terms of use, in a few words.
        kind: the format it is converted from; empty if it is read as it is.
        files: its archives.
    """

    name: str
    holds: str
    download: str
    terms: str
    kind: str
    files: tuple[PublishedFile, ...]


_RESEARCH = "for research; the owners of the photographs keep their rights"
_BRODEN = "for research; ADE20K, Pascal, OpenSurfaces and DTD, of which it is made, keep their own terms"
_COCO = "annotations CC BY 4.0; photographs by Flickr's terms"
_COCO_PHOTOGRAPHS = PublishedFile(
    "http://images.cocodataset.org/zips/val2017.zip", digest="sha1:4950dc9d00dbe1c933ee0170f5797584351d2a41"
)
_VOC_2010 = PublishedFile(
    "https://thor.robots.ox.ac.uk/pascal/VOC/voc2010/VOCtrainval_03-May-2010.tar",
    digest="md5:da459979d0c395079b5c75ee67908abb",
)
_VOC_2012 = PublishedFile(
    "https://thor.robots.ox.ac.uk/pascal/VOC/voc2012/VOCtrainval_11-May-2012.tar",
    digest="md5:6cd6e144f989b92b3379bac3b3de84fd",
)
_DTD = PublishedFile(
    "https://www.robots.ox.ac.uk/~vgg/data/dtd/download/dtd-r1.0.1.tar.gz",
    digest="sha256:e42855a52a4950a3b59612834602aa253914755c95b0cff9ead6d07395f8e205",
)
_ADE20K = PublishedFile(
    "http://data.csail.mit.edu/places/ADEchallenge/ADEChallengeData2016.zip",
    digest="sha1:219e1696abb36c8ba3a3afe7fb2f4b4606a897c7",
)
_PANOPTIC = PublishedFile(
    "http://images.cocodataset.org/annotations/panoptic_annotations_trainval2017.zip",
    size=860_725_834,
    digest="sha256:c05f76d2129b6b561eb70efe16e7006df62f73fb92889132d373b9d90e31a370",
    inner=("annotations/panoptic_val2017.zip",),
)
_INSTANCES = PublishedFile(
    "http://images.cocodataset.org/annotations/annotations_trainval2017.zip",
    digest="sha1:8551ee4bb5860311e79dace7e79cb91e432e78b3",
)
_STUFF = PublishedFile(
    "http://images.cocodataset.org/annotations/stuff_annotations_trainval2017.zip",
    digest="sha1:e7aa0f7515c07e23873a9f71d9095b06bcea3e12",
)
_CONTEXT = PublishedFile("https://cs.stanford.edu/~roozbeh/pascal-context/trainval.tar.gz")
_PARTS = PublishedFile("http://roozbehm.info/pascal-parts/trainval.tar.gz")


def _broden(side: int, download: str) -> PublishedDataset:
    file = PublishedFile(f"http://netdissect.csail.mit.edu/data/broden1_{side}.zip")
    holds = f"Broden, photographs of {side} pixels: objects, parts, scenes, materials, textures, colours"
    return PublishedDataset(f"broden1_{side}", holds, download, _BRODEN, "", (file,))


_ALL = (
    _broden(224, "1.2 GB"),
    _broden(227, ""),
    _broden(384, ""),
    PublishedDataset(
        "ade20k", "ADE20K, the release of scene parsing: 150 objects, scenes", "", _RESEARCH, "ade20k", (_ADE20K,)
    ),
    PublishedDataset("dtd", "47 textures", "0.6 GB", _RESEARCH, "dtd", (_DTD,)),
    PublishedDataset("voc2012", "20 objects", "1.9 GB", "photographs by Flickr's terms", "voc", (_VOC_2012,)),
    PublishedDataset(
        "coco-panoptic",
        "80 things and 53 kinds of stuff, on COCO's 5,000 photographs for validation",
        "1.6 GB",
        _COCO,
        "coco-panoptic",
        (_PANOPTIC, _COCO_PHOTOGRAPHS),
    ),
    PublishedDataset(
        "coco-instances",
        "80 things, on the same photographs",
        "1.0 GB",
        _COCO,
        "coco-instances",
        (_INSTANCES, _COCO_PHOTOGRAPHS),
    ),
    PublishedDataset(
        "coco-stuff",
        "91 kinds of stuff, on the same photographs",
        "1.2 GB",
        _COCO,
        "coco-stuff",
        (_STUFF, _COCO_PHOTOGRAPHS),
    ),
    PublishedDataset(
        "pascal-context", "459 objects and stuff", "1.3 GB", _RESEARCH, "pascal-context", (_VOC_2010, _CONTEXT)
    ),
    PublishedDataset("pascal-part", "parts of 20 objects", "1.4 GB", _RESEARCH, "pascal-part", (_VOC_2010, _PARTS)),
)

SOURCES: Mapping[str, PublishedDataset] = {source.name: source for source in _ALL}
"""Every known dataset, by name."""


def find_source(name: str) -> PublishedDataset:
    """The dataset with a name, in upper or lower case.

    Raises:
        ConceptDataError: if none is known.
    """
    if name.lower() not in SOURCES:
        raise ConceptDataError(f"no dataset {name!r} is known; choose one of {', '.join(SOURCES)}")
    return SOURCES[name.lower()]
