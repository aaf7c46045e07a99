"""What building costs: the whole of it, from files to the database, over a bare forward pass on decoded images.

On the CPU the allocator matters as much as anything: the command line has glibc keep freed memory, which halves the
pass of a light network. So two processes take turns, one with glibc as it is by default and one that keeps memory, and
in each both the bare pass and the build are timed. The networks compute in single precision, with contiguous layout.

The photographs are generated scenes in Broden's sizes, as PNG. Networks have random weights: time does not depend on
what they have learnt. Their fingerprint, which hashes the weights once per process, is taken before.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import torch
from bench_processes import Process
from bench_timing import in_turns, medians, ratio, timed
from torchvision.models import get_model

from db import NameStore
from dissection.concepts import open_concepts
from dissection.concepts.scenes import write_scenes
from dissection.precision import arithmetic, laid_out
from neuronexplain import Means, Network, build

if TYPE_CHECKING:
    from collections.abc import Callable

    from dissection.concepts import ConceptDataset
    from dissection.precision import Precision

COMPARED = {
    "build keeps memory, pass does not": ("build, kept memory", "pass, default memory"),
    "both keep memory": ("build, kept memory", "pass, kept memory"),
    "neither keeps memory": ("build, default memory", "pass, default memory"),
}
"""The ratios: as the command line runs it over the pass as anybody runs it, and with one allocator for both."""


def network(name: str) -> Network:
    """An architecture with random weights."""
    torch.manual_seed(0)
    return Network.from_module(get_model(name, weights=None).eval(), name=name)


def photographs(root: Path, images: int, *, drawn: int = 400) -> Path:
    """Generated scenes in Broden's sizes (photographs of 224, label maps of 112); beyond ``drawn`` they repeat."""
    write_scenes(root, images=min(images, drawn))
    if images > drawn:
        header, *rows = (root / "index.csv").read_text().splitlines()
        files = list((root / "images").iterdir())
        for copy in range(1, -(-images // drawn)):
            for file in files:
                os.link(file, file.with_name(f"{copy}-{file.name}"))
            rows += [_renamed(row, copy) for row in rows[:drawn]]
        (root / "index.csv").write_text("\n".join([header, *rows[:images]]) + "\n")
    return root


def _renamed(row: str, copy: int) -> str:
    return ",".join(f"{copy}-{cell}" if cell.endswith(".png") else cell for cell in row.split(","))


def building(name: str, folder: Path, *, rounds: int, batch_size: int) -> dict[str, object]:
    """Ratios on the CPU, with the same batches and threads on both sides."""
    with (
        Process(sides, name, folder, batch_size, keeps_memory=False) as default,
        Process(sides, name, folder, batch_size, keeps_memory=True) as kept,
    ):
        times = in_turns(
            {
                "pass, default memory": default.side("pass"),
                "pass, kept memory": kept.side("pass"),
                "build, kept memory": kept.side("build"),
                "build, default memory": default.side("build"),
            },
            rounds,
        )
    compared = {what: ratio(times, *both) for what, both in COMPARED.items()}
    return {"images": len(open_concepts(folder)), "batch": batch_size, **compared, "seconds": times}


def sides(name: str, folder: Path, batch_size: int) -> dict[str, Callable[[], float]]:
    """Both sides, in the process that runs them."""
    net, concepts, means = network(name), open_concepts(folder), Means(batch_size=batch_size)
    net.fingerprint  # noqa: B018 -- read once per process, whatever is built
    return {"pass": timed(bare(net, decoded(net, concepts), means)), "build": timed(whole(net, concepts, means))}


def accelerated(
    name: str, folder: Path, precision: Precision, *, rounds: int, batch_size: int, workers: int
) -> dict[str, object]:
    """Images per second on the GPU: its own forward pass over images that are there already, and the whole build."""
    net = replace(network(name).to("cuda"), precision=precision)
    concepts = open_concepts(folder)
    net.fingerprint  # noqa: B018
    images = decoded(net, concepts, at_most=4 * batch_size).to("cuda")
    images = images.repeat(-(-len(concepts) // len(images)), 1, 1, 1)[: len(concepts)]
    means = Means(batch_size=batch_size, workers=workers)
    both = {"pass": timed(bare(net, images, means)), "build": timed(whole(net, concepts, means))}
    times = in_turns(both, rounds)
    rates = {f"{side}, images per second": len(concepts) / value for side, value in medians(times).items()}
    of_both = {"build / pass": ratio(times, "build", "pass"), "seconds": times}
    return {"images": len(concepts), "batch": batch_size, "workers": workers, **rates, **of_both}


def decoded(net: Network, concepts: ConceptDataset, at_most: int | None = None) -> torch.Tensor:
    """Photographs as the network's input."""
    preprocessing = net.preprocessing
    count = len(concepts) if at_most is None else min(at_most, len(concepts))
    return torch.stack([preprocessing.tensor(preprocessing.whole(concepts.photograph(i))) for i in range(count)])


def bare(net: Network, images: torch.Tensor, means: Means) -> Callable[[], None]:
    """The network and nothing else, over all images."""

    def run() -> None:
        with torch.inference_mode(), arithmetic(net.precision, net.device):
            for batch in images.split(means.batch_size):
                net.module(laid_out(batch, net.precision))
        if net.device.type == "cuda":
            torch.cuda.synchronize()

    return run


def whole(net: Network, concepts: ConceptDataset, means: Means) -> Callable[[], None]:
    """Decode, forward passes, thresholds, overlaps, class importances, exemplars, pictures, checkpoints, store."""

    def run() -> None:
        place = Path(tempfile.mkdtemp())
        try:
            with NameStore.create(place / "names.db") as store:
                build(net, concepts, store, means=replace(means, scratch=place / "unfinished"))
        finally:
            shutil.rmtree(place)

    return run
