"""Segmentation seeds over images, and the files that SEC training reads: Sec. 4.2."""

from __future__ import annotations

import io
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image

from dissection.execution.threads import in_threads
from dissection.files.atomic import replace_file
from dissection.files.written_files import write_anew
from dissection.images.label_images import open_image
from neuronexplain.evaluation.tables import Report
from neuronexplain.metrics.intervals import figure
from neuronexplain.metrics.seed_maps import BACKGROUND, CUES_SIZE, NONE, SEED_SHARE, counts, cues, seed_map

from .protocol import Protocol

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from jaxtyping import Bool, Int64

    from neuronexplain.evaluation.batch import Batch
    from neuronexplain.evaluation.ground_truth.truth import Objects
    from neuronexplain.evaluation.record_journal import Record
    from neuronexplain.evaluation.tables import TableRow
    from neuronexplain.methods import Method

_NOTHING = 65535
_BACKGROUND = "(background)"
_COLUMNS = {
    "method": "method",
    "iou": "IoU %",
    "precision": "precision %",
    "recall": "recall %",
    "background": "precision % of the background",
    "images": "images",
}


@dataclass(frozen=True)
class Seeds(Protocol):
    """Seeds of the objects that are known to be in an image, compared with their masks.

    Attributes:
        share: share of a map's maximum; what exceeds it is a seed.
        background: share of the pixels that are seeds of the background.
    """

    share: float = SEED_SHARE
    background: float = BACKGROUND

    name = "seeds"
    needs = frozenset(("objects", "masks", "methods"))

    def observe(self, batch: Batch, methods: Sequence[Method], out: Path) -> list[Record]:
        """Counts of pixels for each object; the seeds go into ``seeds/METHOD/NUMBER.png``."""
        names = [list(truths) for truths in batch.truths]
        numbers = {name: number for number, name in enumerate(batch.objects, 1)}
        classes = [
            [batch.class_of(image, name) for name in names_in_image] for image, names_in_image in enumerate(names)
        ]
        records: list[Record] = [
            {"image": annotated.name, "objects": names[image], "counts": {}, "written": {}}
            for image, annotated in enumerate(batch.annotated)
        ]
        known = [~_void(batch, image) for image in range(len(batch))]
        for method in methods:
            for image, maps in enumerate(batch.maps(method, classes)):
                seeds = seed_map(maps, share=self.share, background=self.background) if names[image] else None
                if seeds is None:
                    continue
                regions = {name: batch.truths[image][name].region for name in names[image]}
                records[image]["counts"][method.name] = _counts(seeds, regions, known[image])
                file = f"{self.name}/{method.name}/{batch.start + image:06}.png"
                picture = _encoded(seeds, [numbers[name] for name in names[image]])
                records[image]["written"][file] = write_anew(out / file, picture)
        return records

    def report(self, records: Sequence[Record], objects: Objects, methods: Sequence[Method]) -> Report:
        """Means over objects of intersections by unions, by seeds, and by true pixels, each summed over images."""
        rows: list[TableRow] = []
        for method in methods:
            table = _table(records, method.name, list(objects))
            background = _table(records, method.name, [_BACKGROUND])
            hits, seeds, truths = table
            rows.append(
                {
                    "method": method.title,
                    "iou": figure(100 * hits, seeds + truths - hits),
                    "precision": figure(100 * hits, seeds),
                    "recall": figure(100 * hits, truths),
                    "background": figure(100 * background[0], background[1]),
                    "images": sum(method.name in record["counts"] for record in records),
                }
            )
        return Report(
            f"Segmentation seeds, Sec. 4.2: {self.share:.0%} of the maximum; {len(objects)} objects",
            _COLUMNS,
            tuple(rows),
            ("seeds, not segmentations: they are meant to be few and right, so precision counts more than recall",),
        )

    def finish(self, records: Sequence[Record], objects: Objects, methods: Sequence[Method], out: Path) -> None:
        """Write ``localization_cues.npz`` and ``input_list.txt`` for each method, with SEC's keys.

        ``cues["7_cues"]`` are class, row and column of image 7's seeds on a grid of 41 x 41, and ``cues["7_labels"]``
        its classes, as in the pickle that SEC loads; an archive of arrays holds no code.
        """
        numbers = {name: number for number, name in enumerate(objects, 1)}
        for method in methods:
            folder = out / self.name / method.name
            chosen = [index for index, record in enumerate(records) if method.name in record["counts"]]
            arrays: dict[str, np.ndarray] = {}
            for index, seeds in zip(chosen, in_threads(_read, [folder / f"{i:06}.png" for i in chosen]), strict=True):
                class_numbers = sorted(numbers[name] for name in records[index]["objects"])
                arrays[f"{index}_cues"] = cues(seeds, {number: number for number in class_numbers}, CUES_SIZE)
                arrays[f"{index}_labels"] = np.array(class_numbers, np.uint16)
            packed = io.BytesIO()
            np.savez_compressed(packed, **arrays)  # type: ignore[arg-type]
            folder.mkdir(parents=True, exist_ok=True)
            replace_file(folder / "localization_cues.npz", packed.getvalue())
            listed = "".join(f"{records[index]['image']} {index}\n" for index in chosen)
            replace_file(folder / "input_list.txt", listed.encode())
            replace_file(folder / "classes.txt", "".join(f"{n} {name}\n" for name, n in numbers.items()).encode())


def _counts(
    seeds: Int64[np.ndarray, "h w"], regions: dict[str, Bool[np.ndarray, "h w"]], known: Bool[np.ndarray, "h w"]
) -> dict[str, tuple[int, int, int]]:
    object_counts = {
        name: counts((seeds == number) & known, region & known)
        for number, (name, region) in enumerate(regions.items(), 1)
    }
    background = ~np.logical_or.reduce(list(regions.values()))
    return object_counts | {_BACKGROUND: counts((seeds == 0) & known, background & known)}


def _table(records: Sequence[Record], method: str, names: Sequence[str]) -> Int64[np.ndarray, "3 images names"]:
    none = (0, 0, 0)
    rows = [[record["counts"].get(method, {}).get(name, none) for name in names] for record in records]
    return np.array(rows, np.int64).reshape(len(records), len(names), 3).transpose(2, 0, 1)


def _void(batch: Batch, image: int) -> Bool[np.ndarray, "h w"]:
    annotated = batch.annotated[image]
    if annotated.void is None:
        return np.zeros(batch.view.size, bool)
    return batch.view.mask(annotated.void, annotated.photograph)


def _encoded(seeds: Int64[np.ndarray, "h w"], numbers: Sequence[int]) -> bytes:
    """Seeds as the content of a PNG."""
    table = np.array([0, *numbers, _NOTHING], np.uint16)  # NONE is -1, which indexes the last entry
    encoded = io.BytesIO()
    Image.fromarray(table[seeds]).save(encoded, "PNG", compress_level=1)
    return encoded.getvalue()


def _read(file: Path) -> Int64[np.ndarray, "h w"]:
    values = np.asarray(open_image(file)).astype(np.int64)
    return np.where(values == _NOTHING, NONE, values)
