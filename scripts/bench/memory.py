"""The memory and disk that the engine takes, whatever the number of images, without a network: its data are made up.

The measure is a fresh process's peak while it dissects, less its peak before, when everything was imported, kernels
were compiled, and one batch of maps had been allocated. So it counts the engine, and the batches on their way through
it. As in the command line, freed memory stays with the process.

Memory for VGG16 (512 units of 14 x 14) at Broden's size (63,305 images, 1,197 concepts)::

    bins            512 x 512 x 4 B                              1.0 MB
    overlaps        512 x 1,197 x 8 B                            4.9 MB
    importances     classes seen x 2 words x 2 x 512 x 8 B      16.4 MB with 1,000 classes
    exemplars       512 x 9 x (4 + 8 + 8) B                      0.1 MB
    digits          512 x 2,048 x 8 B, while thresholds are found 8.4 MB
    a batch         16 x 512 x 196 x 4 B                         6.4 MB, a few times over: the map, its packed cells,
                                                                 bytes on their way to the disk
    places          63,305 / 4 x some 120 B                      1.9 MB: the only part that grows with the images

A state that is written to disk is a copy of the first four. The disk holds the cells above the thresholds, q of all,
and their neighbours. There are 63,305 x 512 x 196 = 6.4e9 cells; 2 to 4.5 % of them in float32 (as measured on real
photographs) are 0.5 to 1.15 GB, and each pair of image and unit that has such a cell takes another 37 B. Before it is
pruned, half as much again may have piled up, or 512 MB.
"""

from __future__ import annotations

import ctypes
import gc
import resource
import statistics
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING, Self

import numpy as np
from processes import Process
from world import Drawn, mapping

from dissection.dissect import dissect_layers
from dissection.execution.settings import Execution
from dissection.vocabulary import Layer
from neuronexplain.class_importance import Importances

if TYPE_CHECKING:
    from collections.abc import Callable

    from neuronexplain import Network

LAYER = Layer("0", 512, 14, 14)
BATCH = 16
_STATUS, _MARKS = Path("/proc/self/status"), Path("/proc/self/clear_refs")
_EVERY = 0.02
"""Seconds between two checks of the scratch folder."""


def growth(few: int, many: int, *, rounds: int) -> dict[str, object]:
    """The median peaks of some rounds over few and over many images, and the growth between them."""
    runs = {images: [held(images, concepts=300, classes=20) for _ in range(rounds)] for images in (few, many)}
    less, more = (statistics.median(run["peak, megabytes"] for run in runs[images]) for images in (few, many))
    return {
        "images": [few, many],
        "peak, megabytes": [less, more],
        "growth, megabytes": more - less,
        "growth, percent": 100 * (more - less) / less,
        "runs": {str(images): peaks for images, peaks in runs.items()},
    }


def broden(images: int) -> dict[str, object]:
    """One measurement at Broden's size: memory, disk and time, including that of making up maps and labels."""
    return {"images": images, "units": LAYER.units, "concepts": 1197, **held(images, concepts=1197, classes=1000)}


def held(images: int, *, concepts: int, classes: int) -> dict[str, float]:
    """The memory and disk that a separate process takes while it dissects."""
    with Process(engine, images, concepts, classes, keeps_memory=True) as process:
        return process.do("dissect")


def engine(images: int, concepts: int, classes: int) -> dict[str, Callable[[], dict[str, float]]]:
    """The measurement, in the process that is measured."""
    network, dataset = mapping(LAYER, classes), Drawn(images, concepts)
    dissected(mapping(Layer("0", 8, 14, 14), 2), Drawn(2 * BATCH, 20), Execution(BATCH))
    np.ones((BATCH, LAYER.units, LAYER.height, LAYER.width), np.float32)

    def measured() -> dict[str, float]:
        start_over()
        before, start = peak(), time.perf_counter()
        with tempfile.TemporaryDirectory() as folder, Disk(Path(folder)) as disk:
            classes_seen = dissected(network, dataset, Execution(BATCH, scratch=Path(folder), progress=show_progress))
        return {
            "peak, megabytes": (peak() - before) / 1e6,
            "before, megabytes": before / 1e6,
            "disk, megabytes": disk.most / 1e6,
            "seconds": time.perf_counter() - start,
            "classes seen": classes_seen,
        }

    return {"dissect": measured}


def dissected(network: Network, dataset: Drawn, execution: Execution) -> int:
    """Dissect, gather class importances meanwhile, and return how many classes were seen."""
    importances = Importances(network.classes, [network.layer])
    dissect_layers(network, [network.layer], dataset, observer=importances, execution=execution)
    return len(importances.means()[0])


class Disk:
    """Watches a folder, and knows the most bytes that it has held."""

    def __init__(self, folder: Path) -> None:
        self.most = 0
        self._folder = folder
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._watch)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._done.set()
        self._thread.join()

    def _watch(self) -> None:
        while not self._done.wait(_EVERY):
            self.most = max(self.most, sum(map(_size, self._folder.rglob("*"))))


def _size(path: Path) -> int:
    try:
        return path.stat().st_size if path.is_file() else 0
    except FileNotFoundError:  # the file was pruned, or is an old state
        return 0


def peak() -> int:
    """The most bytes that this process has held in memory, since its mark was reset if that is possible."""
    if _STATUS.exists():
        line = next(line for line in _STATUS.read_text().splitlines() if line.startswith("VmHWM"))
        return 1024 * int(line.split()[1])
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)


def start_over() -> None:
    """Release free memory, and reset the mark of the most memory held.

    Neither is possible except on Linux. (And getrusage would also count what the parent held.)
    """
    gc.collect()
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
    if trim is not None:
        trim(0)
    if _MARKS.exists():
        _MARKS.write_text("5")


def show_progress(stage: str, done: int, total: int) -> None:
    """Write a progress line over the one before it on a terminal."""
    if sys.stderr.isatty() or done == total:
        sys.stderr.write(f"\r  {stage}: {done:,} of {total:,}" + ("\n" if done == total else ""))
        sys.stderr.flush()
