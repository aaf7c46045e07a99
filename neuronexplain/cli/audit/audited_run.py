"""The options of audits that look at photographs with a stored run, and how they are carried out."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from neuronexplain.cli import console, options
from neuronexplain.vocabulary import DEFAULT_RULES

if TYPE_CHECKING:
    from collections.abc import Iterator

    from db import NameStore
    from db.records import Run
    from dissection.execution.settings import Execution
    from dissection.networks.network import Network
    from neuronexplain.audit.effect.named_network import NamedNetwork
    from neuronexplain.explainer import Explainer
    from neuronexplain.vocabulary import Rules


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditedRun:
    """The run whose names are spoken, and its network."""

    db: options.Db
    run: options.RunNumber = None
    network: options.NetworkNow = None
    weights: options.Weights = None
    ema: options.Ema = False
    dictionary: options.DictionaryNow = None
    device: options.Device = "cpu"

    def open(self, rules: Rules) -> tuple[Explainer, Run]:
        """The run, and its network with the names of its neurons.

        Raises:
            NeuronExplainError: if the network cannot be opened, or has no classes.
        """
        from db import NameStore
        from dissection.networks.forward import require_classes
        from neuronexplain.explainer import Explainer

        with NameStore.open(self.db) as store:
            opened, chosen = self.network_and_run(store)
            require_classes(opened)
            return Explainer.from_store(opened, store, run=chosen, rules=rules), chosen

    def network_and_run(self, store: NameStore) -> tuple[Network, Run]:
        """The run's network, and the run.

        Raises:
            NeuronExplainError: if the network cannot be opened.
        """
        from neuronexplain.run_networks import named_network_and_run

        return named_network_and_run(
            store,
            run=self.run,
            network=self.network,
            weights=self.weights,
            ema=self.ema,
            dictionary=self.dictionary,
            device=self.device,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class ProvenNames:
    """When a name counts."""

    min_iou: options.MinIou = DEFAULT_RULES.min_iou
    max_q: options.MaxQ = DEFAULT_RULES.max_q

    def of(self, audited: AuditedRun) -> NamedNetwork:
        """The network of a run, with its names."""
        from db import NameStore
        from neuronexplain.audit.effect.named_network import NamedNetwork

        rules = replace(DEFAULT_RULES, min_iou=self.min_iou, max_q=self.max_q)
        with NameStore.open(audited.db) as store:
            opened, chosen = audited.network_and_run(store)
            return NamedNetwork.from_store(opened, store, run=chosen, rules=rules)


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditOutput:
    """Where an audit's page goes, and how the work is carried out."""

    out: Annotated[
        Path | None,
        typer.Option(help="Folder for a page, JSON and CSV; the same command resumes there.", show_default="no page"),
    ] = None
    fresh: Annotated[bool, typer.Option("--fresh", help="Start over.")] = False
    batch_size: options.BatchSize = 16
    workers: Annotated[int, typer.Option(min=0, help="Processes that read photographs.")] = 0
    json: options.Json = False
    csv: options.Csv = False

    def check(self) -> None:
        """Check what can be checked before the work, which would be lost.

        Raises:
            NeuronExplainError: if both forms for programs are asked for, or nothing may be written into the folder.
        """
        from dissection.errors import NeuronExplainError
        from neuronexplain.audit.page import require_audit_folder

        if self.json and self.csv:
            raise NeuronExplainError("--json and --csv are two forms of one answer; leave one of them out")
        if self.fresh and self.out is None:
            raise NeuronExplainError("--fresh is for the records in a folder; name the folder with --out")
        if self.out is not None:
            require_audit_folder(self.out)

    @contextmanager
    def execution(self) -> Iterator[Execution]:
        """How the work is carried out, with bars for its progress."""
        from dissection.execution.settings import Execution

        with console.progress() as progress:
            yield Execution(batch_size=self.batch_size, workers=self.workers, progress=progress)
