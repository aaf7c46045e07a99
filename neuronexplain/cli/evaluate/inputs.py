"""Options for what is measured: a network, and the images to measure it on."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from dissection.errors import NeuronExplainError
from neuronexplain.cli import options
from neuronexplain.cli.groups import NetworkSettings
from neuronexplain.vocabulary import DataKind, ViewKind

if TYPE_CHECKING:
    from collections.abc import Sequence

    from db import NameStore
    from db.records import Run
    from dissection.networks.network import Network
    from neuronexplain.evaluation.ground_truth.truth import Ground
    from neuronexplain.explainer import Explainer


@dataclass(frozen=True, slots=True, kw_only=True)
class NetworkOptions:
    """A network by name, or the network of a database."""

    network: Annotated[
        str | None,
        typer.Option(
            help="A name that 'neuronexplain networks' lists, program.pt2, or a factory; beside --db, the database's "
            "network, if it has moved, or is code and its neurons were named elsewhere."
        ),
    ] = None
    db: Annotated[str | None, typer.Option(help="A database whose network is measured.")] = None
    run: options.RunNumber = None
    weights: options.Weights = None
    ema: options.Ema = False
    dictionary: options.DictionaryNow = None
    device: options.Device = "cpu"
    settings: NetworkSettings

    def open(self, layer: str | None = None) -> Network:
        """Open the network at a layer, or the database's network at the database's layer.

        Raises:
            NeuronExplainError: if no network is named, or options would change a database's network.
        """
        if self.db is not None:
            self._refuse_changes(layer)
            from db import NameStore

            with NameStore.open(self.db) as store:
                return self._stored(store)[0]
        if self.run is not None:
            raise NeuronExplainError(
                "--run chooses among the runs of a database; name one with --db, or leave --run out"
            )
        if self.dictionary is not None:
            raise NeuronExplainError(
                "--dictionary is for a database that names features; name one with --db, or leave --dictionary out"
            )
        if self.network is None:
            raise NeuronExplainError("no network is named; name one with --network, or a database with --db")
        return self.settings.open(self.network, weights=self.weights, ema=self.ema, layer=layer, device=self.device)

    def open_with_names(self, layer: str | None = None) -> tuple[Network, Explainer | None]:
        """As :meth:`open`, with an explainer where the network is a database's, whose units have names."""
        if self.db is None:
            return self.open(layer), None
        self._refuse_changes(layer)
        from db import NameStore
        from neuronexplain.explainer import Explainer

        with NameStore.open(self.db) as store:
            opened, run = self._stored(store)
            return opened, Explainer.from_store(opened, store, run=run)

    def _stored(self, store: NameStore) -> tuple[Network, Run]:
        return open_stored(
            store,
            self.run,
            network=self.network,
            weights=self.weights,
            ema=self.ema,
            dictionary=self.dictionary,
            device=self.device,
        )

    def _refuse_changes(self, layer: str | None) -> None:
        changes = {"layer": layer, **asdict(self.settings)}
        ignored = [name for name, value in changes.items() if value is not None and value is not False]
        options.refuse_ignored((f"--{name.replace('_', '-')}" for name in ignored), "--db brings its own network")


def open_stored(
    store: NameStore,
    run: int | None,
    *,
    network: str | None,
    weights: Path | None,
    ema: bool,
    device: str,
    dictionary: Path | None = None,
) -> tuple[Network, Run]:
    """The network of a database's run, and the run that names its units; see `open_network_of`."""
    from neuronexplain.bodies import require_run_of
    from neuronexplain.run_networks import open_network_of

    chosen = store.choose(run)
    opened = open_network_of(chosen, network=network, weights=weights, ema=ema, dictionary=dictionary, device=device)
    require_run_of(opened, store, chosen)
    return opened, chosen


@dataclass(frozen=True, slots=True, kw_only=True)
class AnnotatedImages:
    """Annotated images."""

    data: Annotated[Path | None, typer.Option(help="Annotated images.")] = None
    kind: Annotated[DataKind, typer.Option(help="Their layout; scenes are generated.")] = "concepts"
    split: Annotated[str | None, typer.Option(help="Which list of images: val, val2017, test.")] = None
    matches: Annotated[
        Path | None, typer.Option(help="CSV file with the columns class,object, instead of matching by name.")
    ] = None
    limit: Annotated[int | None, typer.Option(min=1, help="Use only this many images, spread evenly.")] = None
    seed: Annotated[
        int | None,
        typer.Option(help="Seed of generated scenes and of the protocol's random draws.", show_default="0"),
    ] = None

    @property
    def random_seed(self) -> int:
        """The seed, or the default one."""
        return self.seed or 0

    def open(self, classes: Sequence[str], *, objects: bool, masks: bool, draws: bool) -> Ground:
        """Open the images, matched to a network's classes.

        Args:
            classes: the network's labels.
            objects: whether the protocol asks what is in the images.
            masks: read masks, if the layout stores them separately.
            draws: whether the protocol draws at random.

        Raises:
            NeuronExplainError: if an option would be ignored.
        """
        from neuronexplain.evaluation.ground_truth.opening import open_ground

        self._refuse_ignored(objects=objects, draws=draws)
        return open_ground(
            self.data,
            classes,
            kind=self.kind,
            split=self.split,
            masks=masks,
            table=self.matches,
            limit=self.limit,
            seed=self.random_seed,
        )

    def _refuse_ignored(self, *, objects: bool, draws: bool) -> None:
        uses = {
            "--data": self.data is None or self.kind != "scenes",
            "--split": self.split is None or self.kind in {"voc", "coco", "ilsvrc"},
            "--matches": self.matches is None or (objects and self.kind in {"voc", "coco", "concepts"}),
            "--seed": self.seed is None or draws or self.kind == "scenes",
        }
        ignored = [option for option, is_used in uses.items() if not is_used]
        options.refuse_ignored(ignored, f"nothing in this evaluation of --kind {self.kind} uses that")


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageOptions(AnnotatedImages):
    """Annotated images, and which part of them the network sees."""

    view: Annotated[
        ViewKind, typer.Option(help="What the network sees: the whole photograph, its centre, or ten crops.")
    ] = "whole"
