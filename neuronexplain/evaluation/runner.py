"""Runs a protocol over images, batch by batch, and goes on where it was stopped."""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING, Any

import torch

from dissection.errors import ConceptDataError, NeuronExplainError
from dissection.execution.loading import read_batches
from dissection.files.atomic import replace_file
from dissection.networks.passes import Means
from neuronexplain.methods import check_methods

from .batch import Batch
from .framing import View
from .journal import opened

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from dissection.networks.network import Network
    from neuronexplain.evaluation.ground_truth.truth import Annotated, Ground
    from neuronexplain.evaluation.protocols.protocol import Protocol
    from neuronexplain.methods import Method
    from neuronexplain.vocabulary import ViewKind

    from .tables import Report

_FORMAT = 1
"""Of the journal; another number and old journals are refused."""


def evaluate(
    protocol: Protocol,
    network: Network,
    methods: Sequence[Method],
    ground: Ground,
    out: Path,
    *,
    view: ViewKind = "whole",
    means: Means | None = None,
    fresh: bool = False,
) -> Report:
    """Measure methods of explanation over images.

    What is found out of each image is written to ``out/PROTOCOL.jsonl`` batch by batch. When the same is measured
    again, it goes on from there; the table is written to ``out/PROTOCOL.json``.

    Args:
        protocol: what is measured.
        network: the network.
        methods: whose maps.
        ground: the images and what is in them.
        out: folder for what is found.
        view: what of a photograph the network sees: ``whole``, ``centre`` or ``ten`` crops.
        means: with what it is done; of these, batch size, workers and progress.
        fresh: begin again.

    Raises:
        CheckpointError: if the folder holds an evaluation of something else.
        ConceptDataError: if the protocol needs to know more of the images than is known.
        NeuronExplainError: if the protocol is not made for this view, or needs methods, or one of them is not defined
            for the network.
    """
    means = means or Means()
    seen = View.of(network.preprocessing, view)
    _check(protocol, ground, methods, seen)
    check_methods(methods, network)
    heading = {
        "format": _FORMAT,
        "protocol": protocol.name,
        "settings": protocol.settings,
        "network": network.fingerprint,
        "layer": network.layer.name,
        "preprocessing": network.preprocessing.canonical,
        "arithmetic": f"{network.precision} on {network.device.type}, torch {torch.__version__}",
        "methods": [method.name for method in methods],
        "data": hashlib.sha256(ground.reading().encode()).hexdigest(),
        "images": len(ground),
        "view": view,
        "batch size": means.batch_size,
    }
    with opened(out / f"{protocol.name}.jsonl", heading, batch=means.batch_size, fresh=fresh) as journal:
        shares = [share for share in means.shares(len(ground)) if share.stop > len(journal.records)]
        read = _Reader(ground, seen)
        means.tell(protocol.name, len(journal.records), len(ground))
        for share, items in zip(shares, read_batches(read, list, shares, workers=means.workers), strict=True):
            annotated, images = zip(*items, strict=True)
            batch = Batch(
                network,
                seen,
                ground.objects,
                share.start,
                annotated,
                torch.stack(images),
                means.batch_size,
                progress=means.progress,
            )
            journal.add(protocol.observe(batch, methods, out))
            means.tell(protocol.name, share.stop, len(ground))
        records = journal.records
        protocol.finish(records, ground.objects, methods, out)
        report = protocol.report(records, ground.objects, methods)
        replace_file(out / f"{protocol.name}.json", _document(heading, report))
    return report


class _Reader:
    """Reads a photograph and what is in it; may be sent to another process."""

    def __init__(self, ground: Ground, view: View) -> None:
        self._ground, self._view = ground, view

    def __call__(self, index: int) -> tuple[Annotated, torch.Tensor]:
        annotated = self._ground.annotated(index)
        return annotated, self._view.tensors(annotated.photograph)


def _check(protocol: Protocol, ground: Ground, methods: Sequence[Method], view: View) -> None:
    if "methods" in protocol.needs and not methods:
        raise NeuronExplainError(f"{protocol.name} measures methods; name at least one")
    if "objects" in protocol.needs and not ground.objects:
        raise ConceptDataError(
            f"{protocol.name} needs to know what is in the images of {ground.name}; use annotated ones"
        )
    if "one crop" in protocol.needs and len(view.crops) > 1:
        raise NeuronExplainError(
            f"{protocol.name} alters what the network sees, which must be one crop; use another --view"
        )
    if "masks" in protocol.needs:
        first = next((place for place in ground.annotated(0).places.values()), None)
        if first is not None and first.mask is None:
            raise ConceptDataError(f"{protocol.name} needs masks, and {ground.name} has boxes alone; use other data")


def _document(heading: dict[str, Any], report: Report) -> bytes:
    return json.dumps({"heading": heading, **report.to_json()}, indent=2, ensure_ascii=False, allow_nan=False).encode()
