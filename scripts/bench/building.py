"""What building costs, from files to the database, compared with a bare forward pass on decoded images.

What evidence costs is measured by another build, which gathers none: no draws, and no statistics of classes. What names
of several concepts cost is measured by a third, which searches for formulas of up to three.

On the CPU the allocator matters greatly: the command line makes glibc keep freed memory, which halves the pass of a
light network. So two processes take turns, one with glibc's defaults and one that keeps memory, and each times the bare
pass and both builds. The networks compute in single precision, with contiguous layout.

The photographs are generated scenes in Broden's form: JPEGs of its sizes, labelled in the categories that its sources
label, on average 2.9 label maps each. Networks have random weights: time does not depend on what they have learnt.
Their fingerprint, which hashes the weights once per process, is taken beforehand.
"""

from __future__ import annotations

import csv
import os
import shutil
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import torch
from PIL import Image
from processes import Process
from timing import in_turns, medians, ratio, timed
from torchvision.models import get_model

from db import NameStore
from dissection.concepts.generated import write_scenes
from dissection.concepts.layouts import open_concepts
from dissection.networks.precision import arithmetic, laid_out
from dissection.vocabulary import DRAWS, LONGEST_FORMULA
from neuronexplain import Execution, Network, build

if TYPE_CHECKING:
    from collections.abc import Callable

    from dissection.concepts.dataset import ConceptDataset
    from dissection.vocabulary import Precision

COMPARED = {
    "build keeps memory, pass does not": ("build, kept memory", "pass, default memory"),
    "both keep memory": ("build, kept memory", "pass, kept memory"),
    "neither keeps memory": ("build, default memory", "pass, default memory"),
}
"""The ratios: the build as the command line runs it over the usual pass, and both with the same allocator."""

EVIDENCE = {
    "both keep memory": ("build, kept memory", "build without evidence, kept memory"),
    "neither keeps memory": ("build, default memory", "build without evidence, default memory"),
}
"""The ratios of a build with evidence, as it is by default, over one without, both with the same allocator."""

FORMULAS = {"both keep memory": ("build with formulas, kept memory", "build, kept memory")}
"""The ratio of a build that searches for formulas over one that does not."""

SOURCES = {
    10: ("color", "scene", "object", "part"),
    18: ("color", "object", "material"),
    20: ("color", "texture"),
}
"""Categories of the first ten of each twenty images, the next eight and the last two.

Of Broden's 63,305 images 51 % are from ADE20K, Pascal-Context and Pascal-Part, 40 % from OpenSurfaces, and 9 % from DTD
(Bau et al. 2017, Table 1); colours are labelled in all of them.
"""

_COLUMNS = ("image", "split", "ih", "iw", "sh", "sw")


def network(name: str) -> Network:
    """An architecture with random weights."""
    torch.manual_seed(0)
    return Network.from_module(get_model(name, weights=None).eval(), name=name)


def photographs(root: Path, images: int, *, drawn: int = 400) -> Path:
    """Generated scenes in Broden's form (JPEG of 224, label maps of 112); beyond ``drawn`` they repeat."""
    write_scenes(root, images=min(images, drawn))
    with (root / "index.csv").open(newline="") as file:
        rows = [_as_broden(row, place, root / "images") for place, row in enumerate(csv.DictReader(file))]
    files = list((root / "images").iterdir())
    for copy in range(1, -(-images // drawn)):
        for file in files:
            os.link(file, file.with_name(f"{copy}-{file.name}"))
    copies = [_copied(rows[index % drawn], index // drawn) for index in range(images)]
    with (root / "index.csv").open("w", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows(copies)
    return root


def _as_broden(row: dict[str, str], place: int, images: Path) -> dict[str, str]:
    """The photograph as JPEG, with labels only in the categories that one of Broden's sources labels."""
    labelled = next(labelled for end, labelled in SOURCES.items() if place % 20 < end)
    kept = {cell: text for cell, text in row.items() if cell in {*_COLUMNS, *labelled}}
    for cell in set(row) - set(kept):
        if row[cell].endswith(".png"):
            (images / row[cell]).unlink()
    photograph = images / row["image"]
    Image.open(photograph).convert("RGB").save(photograph.with_suffix(".jpg"), quality=95)
    photograph.unlink()
    return {cell: kept.get(cell, "") for cell in row} | {"image": f"{photograph.stem}.jpg"}


def _copied(row: dict[str, str], copy: int) -> dict[str, str]:
    is_file = (".jpg", ".png")
    return {cell: f"{copy}-{text}" if copy and text.endswith(is_file) else text for cell, text in row.items()}


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
                "build without evidence, default memory": default.side("build without evidence"),
                "build without evidence, kept memory": kept.side("build without evidence"),
                "build with formulas, kept memory": kept.side("build with formulas"),
            },
            rounds,
        )
    compared, evidence, formulas = (
        {comparison: ratio(times, *pair) for comparison, pair in pairs.items()}
        for pairs in (COMPARED, EVIDENCE, FORMULAS)
    )
    images = len(open_concepts(folder))
    more = {"with evidence / without": evidence, "with formulas / without": formulas}
    return {"images": images, "batch": batch_size, **compared, **more, "seconds": times}


def sides(name: str, folder: Path, batch_size: int) -> dict[str, Callable[[], float]]:
    """All sides, in the process that runs them."""
    net, concepts, execution = network(name), open_concepts(folder), Execution(batch_size=batch_size)
    net.fingerprint  # noqa: B018 -- read once per process, whatever is built
    return {
        "pass": timed(bare(net, decoded(net, concepts), execution)),
        "build": timed(whole(net, concepts, execution)),
        "build without evidence": timed(whole(net, concepts, execution, draws=0)),
        "build with formulas": timed(whole(net, concepts, execution, length=LONGEST_FORMULA)),
    }


def accelerated(
    name: str, folder: Path, precision: Precision, *, rounds: int, batch_size: int, workers: int
) -> dict[str, object]:
    """Images per second on the GPU: its own forward pass over images already on it, and the whole build."""
    net = replace(network(name).to("cuda"), precision=precision)
    concepts = open_concepts(folder)
    net.fingerprint  # noqa: B018
    images = decoded(net, concepts, at_most=4 * batch_size).to("cuda")
    images = images.repeat(-(-len(concepts) // len(images)), 1, 1, 1)[: len(concepts)]
    execution = Execution(batch_size=batch_size, workers=workers)
    both_sides = {"pass": timed(bare(net, images, execution)), "build": timed(whole(net, concepts, execution))}
    times = in_turns(both_sides, rounds)
    rates = {f"{side}, images per second": len(concepts) / value for side, value in medians(times).items()}
    build_to_pass = {"build / pass": ratio(times, "build", "pass"), "seconds": times}
    return {"images": len(concepts), "batch": batch_size, "workers": workers, **rates, **build_to_pass}


def decoded(net: Network, concepts: ConceptDataset, at_most: int | None = None) -> torch.Tensor:
    """Photographs as the network's input."""
    preprocessing = net.preprocessing
    count = len(concepts) if at_most is None else min(at_most, len(concepts))
    return torch.stack([preprocessing.tensor(preprocessing.whole(concepts.photograph(i))) for i in range(count)])


def bare(net: Network, images: torch.Tensor, execution: Execution) -> Callable[[], None]:
    """Only the network, over all images."""

    def run() -> None:
        with torch.inference_mode(), arithmetic(net.precision, net.device):
            for batch in images.split(execution.batch_size):
                net.module(laid_out(batch, net.precision))
        if net.device.type == "cuda":
            torch.cuda.synchronize()

    return run


def whole(
    net: Network, concepts: ConceptDataset, execution: Execution, *, draws: int = DRAWS, length: int = 1
) -> Callable[[], None]:
    """Decode, forward passes, thresholds, overlaps, class importances, exemplars, pictures, checkpoints, store.

    Unless there are no ``draws``, also evidence for names and statistics of classes; and formulas of up to ``length``
    concepts.
    """

    def run() -> None:
        folder = Path(tempfile.mkdtemp())
        try:
            with NameStore.create(folder / "names.db") as store:
                run_execution = replace(execution, scratch=folder / "unfinished")
                build(net, concepts, store, draws=draws, length=length, execution=run_execution)
        finally:
            shutil.rmtree(folder)

    return run
