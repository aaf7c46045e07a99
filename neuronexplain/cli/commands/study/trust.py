"""``neuronexplain study make trust``: Sec. 5.2."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated

import typer

from dissection.errors import NeuronExplainError
from neuronexplain.cli import options
from neuronexplain.cli.evaluate.inputs import NetworkOptions
from neuronexplain.cli.groups import NetworkSettings, grouped

from .making import Layer, Making, Methods, methods_of, subject_of


@dataclass(frozen=True, slots=True, kw_only=True)
class SecondNetwork:
    """The network that is compared with the first."""

    network_2: Annotated[
        str | None, typer.Option("--network-2", help="The second network; by default the first, with other weights.")
    ] = None
    weights_2: Annotated[Path | None, typer.Option("--weights-2", help="Weights of the second network.")] = None
    db_2: Annotated[str | None, typer.Option("--db-2", help="A database whose network is the second.")] = None
    run_2: Annotated[int | None, typer.Option("--run-2", help="Which run of it, if it holds several.")] = None
    dictionary_2: Annotated[
        Path | None,
        typer.Option("--dictionary-2", help="Its dictionary's folder, if the run names features and that has moved."),
    ] = None
    layer_2: Annotated[str | None, typer.Option("--layer-2", help="Layer of the second network's Grad-CAM.")] = None

    def beside(self, first: NetworkOptions) -> NetworkOptions:
        """The options of the second network; what is not said of it is as for the first."""
        if self.network_2 is None and self.weights_2 is None and self.db_2 is None:
            raise NeuronExplainError(
                "two networks are compared; name the second with --network-2, --weights-2 or --db-2"
            )
        by_itself = self.db_2 is not None
        if not by_itself:
            of_database = {"--run-2": self.run_2, "--dictionary-2": self.dictionary_2}
            ignored = (name for name, value in of_database.items() if value is not None)
            options.refuse_ignored(ignored, "--db-2 names no second database")
        return replace(
            first,
            network=self.network_2 if by_itself else self.network_2 or first.network,
            db=self.db_2,
            run=self.run_2,
            weights=self.weights_2,
            dictionary=self.dictionary_2,
            settings=NetworkSettings() if by_itself else first.settings,
        )


@grouped
def trust(
    *,
    network: NetworkOptions,
    layer: Layer = None,
    second: SecondNetwork,
    method: Methods = None,
    images: Annotated[int, typer.Option(min=1, help="How many images are asked about.")] = 90,
    making: Making,
) -> None:
    """Make a study: which of two networks is more reliable, by their explanations? (Sec. 5.2).

    Of every image, both networks predict the same category, and it is there. The first network should be the better
    one: the study tells by how much people rate it as more reliable. With --db and --db-2, the networks are the
    databases', and sentences are asked about, too.

    Example: neuronexplain study make trust --network vgg16 --network-2 alexnet --data VOC2007 --kind voc --out study
    """
    from neuronexplain.studies.human.designs import Trust

    methods = methods_of(method)
    subjects = [
        subject_of(network.open_with_names(layer), methods),
        subject_of(second.beside(network).open_with_names(second.layer_2), methods),
    ]
    first, other = (subject.network for subject in subjects)
    if first.fingerprint == other.fingerprint:
        raise NeuronExplainError("both networks have the same weights, so there is nothing to compare; name another")
    grounds = [making.ground(subject.network.classes) for subject in subjects]
    making.run(Trust(tuple(subjects), tuple(ground.objects for ground in grounds)), grounds[0], images)
