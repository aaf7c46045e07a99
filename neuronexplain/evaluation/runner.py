"""Runs a protocol over images, batch by batch; resumes an earlier evaluation where it stopped."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

import torch

from dissection.errors import ConceptDataError, NeuronExplainError
from dissection.execution.settings import Execution
from dissection.files.atomic import replace_file
from dissection.networks.passes import Work, resumable_pass
from neuronexplain.methods import check_methods
from neuronexplain.vocabulary import INTERVAL

from .batch import Batch
from .framing import Framing
from .other_pictures import OtherPictures
from .page import write_charts
from .record_journal import open_journal

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from dissection.networks.network import Network
    from neuronexplain.evaluation.ground_truth.truth import AnnotatedImage, Ground, Objects
    from neuronexplain.evaluation.protocols.protocol import Protocol
    from neuronexplain.methods import Method
    from neuronexplain.vocabulary import ViewKind

    from .record_journal import Record
    from .tables import Report


def evaluate(
    protocol: Protocol,
    network: Network,
    methods: Sequence[Method],
    ground: Ground,
    out: Path,
    *,
    view: ViewKind = "whole",
    execution: Execution | None = None,
    fresh: bool = False,
) -> Report:
    """Measure methods of explanation over images.

    The records of images are written to ``out/PROTOCOL.jsonl`` batch by batch, and the same evaluation is resumed from
    them; the table is written to ``out/PROTOCOL.json``, and with charts to ``out/PROTOCOL.html``.

    Args:
        protocol: what to measure.
        network: the network.
        methods: the methods whose maps are measured.
        ground: the images and what is in them.
        out: folder for the results.
        view: which part of a photograph the network sees: ``whole``, ``centre`` or ``ten`` crops.
        execution: how the work is run, in one process; only batch size, workers and progress count.
        fresh: start over.

    Raises:
        CheckpointError: if the folder holds another evaluation.
        ConceptDataError: if the protocol needs annotations that the images lack.
        NeuronExplainError: if the protocol cannot use this view, or needs methods, or a method is not defined for the
            network; or if the network does not write or answer, as the protocol needs; or if several processes would
            share the images.
    """
    execution = execution or Execution()
    require_one_process(execution.ranks.count)
    framing = Framing.of(network.preprocessing, view)
    _check(protocol, ground, methods, framing)
    _check_language(protocol, network)
    check_methods(methods, network)
    heading = {
        "protocol": protocol.name,
        "settings": protocol.settings,
        "network": network.whole_fingerprint,
        "layer": network.layer.name,
        "preprocessing": network.preprocessing.canonical,
        "arithmetic": f"{network.precision} on {network.device.type}, torch {torch.__version__}",
        "methods": [method.name for method in methods],
        "data": hashlib.sha256(ground.identity().encode()).hexdigest(),
        "images": len(ground),
        "view": view,
        "batch size": execution.batch_size,
    }
    path = out / f"{protocol.name}.jsonl"
    with open_journal(path, heading, batch_size=execution.batch_size, fresh=fresh) as journal:
        execution.report(protocol.name, len(journal.records), len(ground))
        others = OtherPictures(ground, framing, protocol.comparisons) if protocol.comparisons else None
        observation = _Observation(protocol, network, methods, framing, ground.objects, execution, out, others)
        work = Work(_Reader(ground, framing), list, observation.start)
        for _ in resumable_pass(len(ground), work, journal, execution, stage=protocol.name):
            pass
        records = journal.records
        protocol.finish(records, ground.objects, methods, out)
        report = protocol.report(records, ground.objects, methods)
        replace_file(out / f"{protocol.name}.json", _document(journal.heading, report))
        about = f"{network.name}, {network.layer.name}, on {ground.name}. {INTERVAL}"
        write_charts(out / f"{protocol.name}.html", [report], subtitle=about)
    return report


def require_one_process(processes: int) -> None:
    """Check that no other process shares an evaluation: each would report only on its part of the images.

    Raises:
        NeuronExplainError: if one does.
    """
    if processes > 1:
        raise NeuronExplainError(
            f"an evaluation runs in one process, and here are {processes}; start it without torchrun"
        )


@dataclass(frozen=True, slots=True, eq=False)
class _Observation:
    """Lets a protocol observe batches."""

    protocol: Protocol
    network: Network
    methods: Sequence[Method]
    framing: Framing
    objects: Objects
    execution: Execution
    out: Path
    others: OtherPictures | None

    def start(self, images: range, items: Sequence[tuple[AnnotatedImage, torch.Tensor]]) -> Callable[[], list[Record]]:
        """A function that gives the records of a batch."""
        return partial(self._observe, images, items)

    def _observe(self, images: range, items: Sequence[tuple[AnnotatedImage, torch.Tensor]]) -> list[Record]:
        annotated, pixels = zip(*items, strict=True)
        batch = Batch(
            self.network,
            self.framing,
            self.objects,
            images.start,
            annotated,
            torch.stack(pixels),
            self.execution.batch_size,
            progress=self.execution.reporter,
            others=self.others,
        )
        return self.protocol.observe(batch, self.methods, self.out)


class _Reader:
    """Reads a photograph and its annotations; can be sent to another process."""

    def __init__(self, ground: Ground, view: Framing) -> None:
        self._ground, self._view = ground, view

    def __call__(self, index: int) -> tuple[AnnotatedImage, torch.Tensor]:
        annotated = self._ground.annotated(index)
        return annotated, self._view.tensors(annotated.photograph)


def _check(protocol: Protocol, ground: Ground, methods: Sequence[Method], view: Framing) -> None:
    if "methods" in protocol.needs and not methods:
        raise NeuronExplainError(f"{protocol.name} measures methods; name at least one")
    if "objects" in protocol.needs and not ground.objects:
        raise ConceptDataError(
            f"{protocol.name} needs to know what is in the images of {ground.name}; use annotated ones"
        )
    if "one crop" in protocol.needs and len(view.crops) > 1:
        raise NeuronExplainError(
            f"{protocol.name} is defined for one crop of each photograph, and here are {len(view.crops)}; use another "
            "--view"
        )
    if "centre" in protocol.needs and view.kind != "centre":
        raise NeuronExplainError(f"{protocol.name} explains what the network usually sees; use --view centre")
    if "masks" in protocol.needs:
        first = next((place for place in ground.annotated(0).places.values()), None)
        if first is not None and first.mask is None:
            raise ConceptDataError(f"{protocol.name} needs masks, and {ground.name} has only boxes; use other data")


def _check_language(protocol: Protocol, network: Network) -> None:
    if "captions" in protocol.needs:
        network.require_captions()
    if "answers" in protocol.needs:
        network.require_answers()


def _document(heading: dict[str, Any], report: Report) -> bytes:
    return json.dumps({"heading": heading, **report.to_json()}, indent=2, ensure_ascii=False, allow_nan=False).encode()
