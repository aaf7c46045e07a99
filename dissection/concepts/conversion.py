"""Converts any concept dataset into Broden's layout, image by image; a killed conversion is resumed."""

from __future__ import annotations

import hashlib
import json
from contextlib import contextmanager
from dataclasses import astuple, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import PIL
from PIL import Image

from dissection.concepts.broden.writer import BrodenWriter
from dissection.errors import ConceptDataError
from dissection.execution.checkpoint import Checkpoint, ResumableJob
from dissection.execution.statistic import Bundle
from dissection.execution.threads import in_threads
from dissection.files.paths import readable
from dissection.files.read_files import ReadFiles
from dissection.vocabulary import MIN_IMAGES, ConceptSupport

from .fingerprints import changed_file, fingerprint_extra
from .notes import notes_of
from .plain_layout import LABEL_SIZE
from .problems import BadFileError
from .surveys import Tally
from .synonyms import synonyms_of
from .unfinished import DATA, resuming
from .wrappers import Sized

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from os import PathLike

    from jaxtyping import Int32

    from dissection.vocabulary import Concept, Labels

    from .dataset import ConceptDataset
    from .problems import Counter
    from .support import CategoryTotal
    from .surveys import Survey

    Cells = dict[str, list[Int32[np.ndarray, "h w"] | int]]

SIZE = 224
"""Height and width of converted photographs, as in Broden."""

_FORMAT = 1
"""Version of what an unfinished conversion leaves behind."""


@dataclass(frozen=True, slots=True)
class Summary:
    """What a converter did.

    Attributes:
        images: images written.
        concepts: concepts kept.
        categories: what was written in each category.
        dropped: concepts that are on an image but were left out, with their support.
        survey: what the source shows, in pixels of the label maps.
    """

    images: int
    concepts: int
    categories: tuple[CategoryTotal, ...]
    dropped: tuple[ConceptSupport, ...]
    survey: Survey


def convert(
    dataset: ConceptDataset,
    dst: str | PathLike[str],
    *,
    size: int = SIZE,
    label_size: int = LABEL_SIZE,
    min_images: int = MIN_IMAGES,
    progress: Counter | None = None,
) -> Summary:
    """Write a dataset in Broden's layout.

    Photographs are squashed to ``size`` x ``size`` (bilinear, antialiased); label maps of another size are resized to
    ``label_size`` x ``label_size`` (nearest neighbour). Synonyms and notes on licence and origin are copied. Each label
    goes to its concept's primary category.

    The same call resumes an interrupted or killed conversion, to the same bytes; with other settings or another source
    (names, sizes and times of its files) it starts anew.

    Args:
        dataset: the dataset to write.
        dst: the folder to write; it must be missing or empty.
        size: height and width of the photographs.
        label_size: height and width of the label maps.
        min_images: concepts on fewer images are dropped, as in Broden. Their pixels become 0: an image whose only
            labels of a category are dropped no longer counts as labelled in it, so unions (``A``) of that category
            are smaller than the source's. With 0 nothing is dropped, and ``dissect`` applies its own ``min_images``
            without this loss.
        progress: called with the steps done and twice the number of images: each is first counted and then written.

    Raises:
        ConceptDataError: if the source breaks its layout or is changed meanwhile, or no concept is left.
        OutputError: if the folder is not empty or cannot be written.
        CheckpointError: if another process is writing the same folder.
    """
    dataset, sizes = Sized(dataset, label_size), Sizes(size, label_size, min_images)
    with unfinished(dataset, Path(dst), sizes) as work:
        return convert_in(work, dataset, sizes, progress=progress)


@dataclass(frozen=True, slots=True)
class Sizes:
    """What a conversion makes of a dataset: sides of photographs and label maps, and :func:`convert`'s minimum."""

    photographs: int = SIZE
    labels: int = LABEL_SIZE
    min_images: int = MIN_IMAGES


@contextmanager
def unfinished(dataset: ConceptDataset, dst: Path, sizes: Sizes) -> Iterator[Path]:
    """A folder for :func:`convert_in` to work in, which becomes ``dst``; the same call finds it as it was left.

    Args:
        dataset: the dataset to write.
        dst: the folder to write; it must be missing or empty.
        sizes: what is made of the dataset.

    Raises:
        ConceptDataError: if a file of the dataset cannot be read, or was changed by the end.
        OutputError: if the folder is not empty or cannot be written.
        CheckpointError: if another process is writing the same folder.
    """
    read = ReadFiles()
    with resuming(dst, source_digest(dataset, list(astuple(sizes)), read)) as work:
        yield work
        if changed := changed_file(dataset, read):
            raise ConceptDataError(
                f"{readable(changed)} was changed while it was converted, so nothing was kept; leave the data alone, "
                "and start again"
            )


def convert_in(work: Path, dataset: ConceptDataset, sizes: Sizes, *, progress: Counter | None = None) -> Summary:
    """Write a dataset in Broden's layout into the folder of :func:`unfinished`; see :func:`convert`.

    Its label maps have the size that is asked for.

    Raises:
        ConceptDataError: if the source breaks its layout, or no concept is left.
    """
    total, min_images = len(dataset), sizes.min_images

    def on_step(done: int) -> None:
        if progress is not None:
            progress(done, 2 * total)

    counted = _survey(dataset, work, on_step)
    dropped = tuple(support for support in counted.concepts if 0 < support.images < min_images)
    kept = {support.concept.number: support.concept for support in counted.concepts if support.images >= min_images}
    if not kept:
        problem = f"no concept is on {min_images} images; lower the minimum number of images"
        raise ConceptDataError(f"{dataset.name}: {problem}")
    totals = _write(dataset, kept, work, (sizes.photographs, sizes.labels), on_step)
    for name, content in notes_of(dataset).items():
        (work / DATA / name).write_bytes(content)
    return Summary(total, len(kept), totals, dropped, counted)


def _survey(dataset: ConceptDataset, work: Path, on_step: Callable[[int], None]) -> Survey:
    """Count every concept; the counts of an earlier process are in the folder ``work``."""
    tally = Tally(dataset.concepts)
    job = ResumableJob(Bundle({"survey": tally}), ("counted",), Checkpoint(work, "survey"))
    remaining = range(job.done("counted"), len(dataset))
    for index, labels in zip(remaining, in_threads(dataset.labels, remaining), strict=True):
        tally.add(labels)
        job.advance("counted")
        job.save_if_due()
        on_step(index + 1)
    job.save()
    return tally.survey()


def _write(
    dataset: ConceptDataset,
    concepts: Mapping[int, Concept],
    work: Path,
    sizes: tuple[int, int],
    on_step: Callable[[int], None],
) -> tuple[CategoryTotal, ...]:
    """Write the images that are still missing, and the tables; ``sizes`` are those of photographs and maps."""
    size, label_size = sizes
    by_category = _CategorySplitter(concepts)

    def read(index: int) -> tuple[Image.Image, Cells]:
        photograph = dataset.photograph(index).resize((size, size), Image.Resampling.BILINEAR)
        return photograph, by_category(dataset.labels(index))

    label_sizes, journal = (label_size, label_size), work / "journal"
    with BrodenWriter(work / DATA, concepts.values(), label_sizes, journal, synonyms=synonyms_of(dataset)) as writer:
        remaining = range(len(writer), len(dataset))
        for index, (photograph, cells) in zip(remaining, in_threads(read, remaining), strict=True):
            writer.add(dataset.image_name(index), photograph, cells)
            on_step(len(dataset) + index + 1)
        writer.finish()
        return writer.totals


class _CategorySplitter:
    """Splits the labels of one image by category; those that belong to no concept are left out."""

    def __init__(self, concepts: Mapping[int, Concept]) -> None:
        self._category = {number: concept.category for number, concept in concepts.items()}
        self._categories = tuple(dict.fromkeys(self._category.values()))
        self._place = np.zeros(max(concepts) + 1, np.int32)  # by label number: 0, or 1 + the category's place
        for number, category in self._category.items():
            self._place[number] = 1 + self._categories.index(category)

    def __call__(self, labels: Labels) -> Cells:
        places = self._place[np.where(labels.maps < len(self._place), labels.maps, 0)]
        return {
            category: [
                *self._layers(labels, places == place),
                *(number for number in labels.whole if self._category.get(number) == category),
            ]
            for place, category in enumerate(self._categories, start=1)
        }

    def _layers(self, labels: Labels, member: np.ndarray) -> list[Int32[np.ndarray, "h w"] | int]:
        return [
            np.where(in_category, layer, 0)
            for in_category, layer in zip(member, labels.maps, strict=True)
            if in_category.any()
        ]


def source_digest(dataset: ConceptDataset, settings: list[int], read: ReadFiles) -> str:
    """A digest of everything the output depends on; of the source's files it takes names, sizes and times."""
    words = [[concept.number, concept.name, concept.category] for concept in dataset.concepts.values()]
    total = hashlib.sha256(json.dumps([_FORMAT, PIL.__version__, settings, words, len(dataset)]).encode())
    for index in range(len(dataset)):
        files = dataset.files(index)
        for file in files:
            _note(file, read)
        facts = [dataset.image_name(index), fingerprint_extra(dataset, index), list(map(str, files))]
        total.update(json.dumps(facts).encode())
    total.update(read.digest.encode())
    return total.hexdigest()[:32]


def _note(file: Path, read: ReadFiles) -> None:
    try:
        read.note(file)
    except OSError as error:
        raise BadFileError(file, f"it cannot be read ({error.strerror}); run concepts check on the source") from error
