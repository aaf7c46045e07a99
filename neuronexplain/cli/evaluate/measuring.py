"""Runs a protocol and prints its report; holds the options of protocols that compare methods."""

from __future__ import annotations

import os
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from neuronexplain.cli import console, options
from neuronexplain.vocabulary import INTERVAL

from .inputs import ImageOptions, NetworkOptions

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from dissection.execution.settings import Execution
    from dissection.networks.network import Network
    from neuronexplain.evaluation.ground_truth.truth import Ground
    from neuronexplain.evaluation.protocols.protocol import Protocol
    from neuronexplain.evaluation.tables import Report
    from neuronexplain.methods import Method
    from neuronexplain.vocabulary import ViewKind

Out = Annotated[Path, typer.Option("--out", help="Folder for the results; the same command resumes.")]
Fresh = Annotated[bool, typer.Option("--fresh", help="Start over.")]


@dataclass(frozen=True, slots=True, kw_only=True)
class Measurement:
    """Where results go, and how they are computed."""

    out: Out
    batch_size: options.BatchSize = 16
    workers: Annotated[int, typer.Option(min=0, help="Processes that read photographs.")] = 0
    fresh: Fresh = False
    json: options.Json = False

    def run(self, protocol: Protocol, network: Network, methods: Sequence[Method], images: ImageOptions) -> None:
        """Run a protocol, with progress, and print its report."""
        ground = images.open(
            network.classes,
            objects="objects" in protocol.needs,
            masks="masks" in protocol.needs,
            draws="seed" in protocol.settings,
        )
        self.measure(protocol, network, methods, ground, view=images.view)

    def measure(
        self, protocol: Protocol, network: Network, methods: Sequence[Method], ground: Ground, *, view: ViewKind
    ) -> None:
        """Run a protocol over images that are open, with progress, and print its report."""
        from neuronexplain.evaluation.runner import evaluate

        with self.execution() as execution:
            report = evaluate(
                protocol, network, methods, ground, self.out, view=view, execution=execution, fresh=self.fresh
            )
        if self.json:
            console.write_json(report.to_json())
        else:
            say_report(report, f"{network.name}, {network.layer.name}, on {ground.name}. {INTERVAL}")
            console.say(f"Charts: {self.out / protocol.name}.html")

    @contextmanager
    def execution(self) -> Iterator[Execution]:
        """How the work is run, with bars for its progress."""
        from dissection.execution.settings import Execution

        with console.progress() as progress:
            yield Execution(batch_size=self.batch_size, workers=self.workers, progress=progress)


@dataclass(frozen=True, slots=True, kw_only=True)
class MethodComparison:
    """The options of every protocol that compares methods by their maps."""

    network: NetworkOptions
    layer: Annotated[str | None, typer.Option(help="Layer of Grad-CAM; by default the last rectified map.")] = None
    method: Annotated[
        list[options.Method] | None, typer.Option(help="Explanation method (repeatable); by default grad-cam.")
    ] = None
    images: ImageOptions
    measurement: Measurement

    def run(self, protocol: Protocol) -> None:
        """Run a protocol, with progress, and print its report."""
        from neuronexplain.methods import METHODS

        methods = [METHODS[name] for name in options.method_names(self.method) or ["grad-cam"]]
        self.measurement.run(protocol, self.network.open(self.layer), methods, self.images)


def in_one_process() -> None:
    """Refuse to be one of several processes that torchrun started."""
    if console.rank() is not None:
        from neuronexplain.evaluation.runner import require_one_process

        require_one_process(int(os.environ["WORLD_SIZE"]))


def say_report(report: Report, subtitle: str) -> None:
    """Print a report for people: its title, a line about it, the table and the notes."""
    console.say(report.title)
    console.say(subtitle)
    console.write_rows([dict(row) for row in report.cells()], report.columns, as_json=False, as_csv=False)
    for note in report.notes:
        console.say(f"{note[0].upper()}{note[1:]}.")
