"""``neuronexplain build``: name a network's neurons and store the names."""

from __future__ import annotations

from collections import Counter
from contextlib import AbstractContextManager, nullcontext
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from dissection.errors import NeuronExplainError
from dissection.vocabulary import DRAWS, LONGEST_FORMULA, MIN_IMAGES, MIN_IOU, QUANTILE, Precision
from neuronexplain.cli import console, options
from neuronexplain.cli.groups import NetworkSettings, grouped

from .concepts.check import say_out_of_reach

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from db import NameStore
    from db.records import Run
    from dissection.networks.network import Network
    from dissection.vocabulary import Unit, UnitName
    from neuronexplain.building import Built

_SHOWN = 12


@grouped
def build(
    *,
    network: options.NetworkName,
    concepts: Annotated[
        Path, typer.Option(help="Folder with labelled photographs: Broden layout, or images/ masks/ concepts.csv.")
    ],
    db: options.Db,
    weights: options.Weights = None,
    ema: options.Ema = False,
    layer: Annotated[
        list[str] | None,
        typer.Option(help="Layer to name (repeatable); by default the last rectified feature map."),
    ] = None,
    dictionary: Annotated[
        Path | None,
        typer.Option(
            help="Folder of a dictionary (SAELens, dictionary_learning, saev): name its features, not the neurons."
        ),
    ] = None,
    settings: NetworkSettings,
    question: options.Question = None,
    class_images: Annotated[
        Path | None,
        typer.Option(
            help="Folder with one folder of images per class, to measure which neurons matter for which class."
        ),
    ] = None,
    quantile: Annotated[float, typer.Option(help="Share of a neuron's activations that count as strong.")] = QUANTILE,
    min_images: options.MinImages = MIN_IMAGES,
    draws: Annotated[
        int,
        typer.Option(
            min=0, help="How often labels are dealt anew, to tell names from chance; 0 gathers no evidence for names."
        ),
    ] = DRAWS,
    control: Annotated[
        bool, typer.Option("--control", help="Name the same network with shuffled weights too, and tell what survives.")
    ] = False,
    length: Annotated[
        int,
        typer.Option(
            min=1,
            max=LONGEST_FORMULA,
            help="Concepts of the longest name to look for, such as “sand or sea”: 1, 2 or 3.",
        ),
    ] = 1,
    limit: Annotated[int | None, typer.Option(min=1, help="Use only this many images, spread evenly.")] = None,
    batch_size: options.BatchSize = 16,
    device: options.Device = "cpu",
    precision: Annotated[
        Precision,
        typer.Option(help="Arithmetic: exact float32; the machine's fastest float32; or bfloat16 where it suffices."),
    ] = "float32",
    workers: Annotated[
        int | None,
        typer.Option(
            min=0, help="Processes that read photographs; by default one per core for a GPU, none for the CPU."
        ),
    ] = None,
    scratch: Annotated[
        Path | None, typer.Option(help="Folder for unfinished work; by default beside the database.")
    ] = None,
    fresh: Annotated[bool, typer.Option("--fresh", help="Discard what an interrupted build left behind.")] = False,
) -> None:
    """Name a network's neurons after the concepts of labelled photographs, and store the names in a database.

    The same run is never built twice. An interrupted or killed build leaves the database unchanged; the same command
    resumes it.

    Example: neuronexplain build --network vgg16 --concepts broden1_224 --db names.db

    On eight GPUs: torchrun --nproc-per-node 8 --no-python neuronexplain build --device cuda ...
    """
    from db.location import Location
    from dissection.concepts.layouts import open_concepts
    from dissection.execution.ranks import local_device, ranks
    from dissection.execution.settings import Execution
    from neuronexplain.building import build_layers
    from neuronexplain.class_images import open_class_images
    from neuronexplain.unfinished import scratch_folder

    options.require_share(quantile)
    if draws == 1:
        raise NeuronExplainError(f"--draws 1 tells nothing; give at least 2, or 0 for none: {DRAWS} are usual")
    if control and not draws:
        raise NeuronExplainError("--control is evidence for names, and --draws 0 gathers none; leave one of them out")
    if length > 1 and not draws:
        raise NeuronExplainError(f"--length {length} needs evidence, and --draws 0 gathers none; leave one of them out")
    work = scratch or scratch_folder(Location.of(db))
    with ranks() as group:
        dataset = open_concepts(concepts, limit=limit)
        names = [*dict.fromkeys(layer or [])]
        first_layer = names[0] if names else None
        if dictionary is not None and len(names) > 1:
            raise NeuronExplainError(f"--dictionary is of one layer, and --layer names {len(names)}; name one of them")
        opened = settings.open(
            network, weights=weights, ema=ema, layer=first_layer, device=local_device(device), dictionary=dictionary
        )
        opened = replace(opened if question is None else opened.asked(question), precision=precision)
        networks = [opened, *(opened.at(name) for name in names[1:])]
        evidence = open_class_images(class_images, opened.classes) if class_images else None
        for tapped in networks:
            console.note(_opening(tapped, layer))
            if tapped.source is not None and tapped.source.learned:
                console.note(f"The dictionary: {tapped.source.learned}.")
        with _store_of_rank(db, group.number) as store, console.progress() as progress:
            builds = build_layers(
                networks,
                dataset,
                store,
                quantile=quantile,
                min_images=min_images,
                class_images=evidence,
                draws=draws,
                control=control,
                length=length,
                execution=Execution(
                    batch_size=batch_size,
                    workers=_workers(device) if workers is None else workers,
                    scratch=work,
                    ranks=group,
                    progress=progress,
                ),
                fresh=fresh,
            )
    if group.number == 0:
        _say_builds(db, builds)
        _note_unfinished(work)


def _store_of_rank(db: str, rank: int) -> AbstractContextManager[NameStore | None]:
    """The database, opened by rank 0 only, which writes to it."""
    from db import NameStore

    return NameStore.create(db) if rank == 0 else nullcontext()


def _workers(device: str) -> int:
    """One per core if a GPU runs the network; on the CPU the network needs every core."""
    from dissection.execution.threads import cores

    return 0 if device == "cpu" else cores()


def _note_unfinished(scratch: Path) -> None:
    """Say what other builds left behind, which would otherwise go unnoticed."""
    from neuronexplain.unfinished import unfinished_in

    left = unfinished_in(scratch)
    if left.builds:
        builds = "another build" if left.builds == 1 else f"{left.builds} other builds"
        console.note(
            f"{scratch} holds {builds} that did not finish ({left.size / 1e6:.0f} MB); delete what you do not need."
        )


def _say_builds(db: str, builds: Sequence[Built]) -> None:
    from db import NameStore

    with NameStore.open(db) as store:
        for built in builds:
            run = built.run
            if built.is_new:
                summarise(store, run)
                console.say(f"Stored as run {run.id} in {store.where}.")
            else:
                time = f"built {run.created:%F %R}"
                console.say(f"Nothing to do: {store.where} already holds this run as number {run.id}, {time}.")
        if any(built.is_new for built in builds):
            console.say(f"Next: neuronexplain explain PHOTOGRAPH --db {store.where}")


def summarise(store: NameStore, run: Run) -> None:
    """Say how many neurons have a name, what the names are, and which concepts could not become a name."""
    from dissection.concepts.surveys import out_of_reach
    from neuronexplain.control import survivors

    names = store.names(run, MIN_IOU)
    console.say(
        f"{len(names)} of {run.layer.units} {run.layer.noun}s of {run.layer.module} have a name "
        f"(IoU of at least {MIN_IOU} with a concept of {run.concepts}, {run.images} images)."
    )
    if names:
        console.say(f"Most frequent: {_frequent(names.values())}.")
    dissection = store.dissection(run)
    if run.control is not None:
        survived = survivors(names.values(), dissection.units)
        console.say(
            f"Control: with shuffled weights, {run.control} of {run.layer.units} {run.layer.noun}s have a name. "
            f"A greater IoU than any of those reaches with the concept: {survived} of {len(names)} names."
        )
    if run.key.length > 1:
        console.say(_compositions(dissection.units))
    support = dissection.concepts
    unreachable = out_of_reach(support, run.pixels, quantile=run.key.quantile, min_iou=MIN_IOU)
    say_out_of_reach(unreachable, run.key.quantile)
    rare = sum(0 < entry.images < run.key.min_images for entry in support)
    if rare:
        concepts = "concept is" if rare == 1 else "concepts are"
        console.say(f"{rare} {concepts} on fewer than {run.key.min_images} images and cannot become a name.")


def _compositions(units: Sequence[Unit]) -> str:
    """How many formulas hold on images which they were not searched on."""
    found = sum(bool(unit.compositions) for unit in units)
    accepted = sum(unit.composition() is not None for unit in units)
    return (
        f"Names of several concepts: {accepted} hold on the half of the images that was held out, of {found} that were "
        "found on the other."
    )


def _opening(network: Network, requested: Sequence[str] | None) -> str:
    layer = network.layer
    remark = "" if requested or network.dictionary else ", the default; --layer names another"
    return (
        f"{network.name}, layer {layer.name}: {layer.units} {layer.noun}s, {layer.height} x {layer.width}{remark}. "
        f"{_answers(network)}."
    )


def _answers(network: Network) -> str:
    """What the network says of an image."""
    if network.prompt and network.classes:
        return f"{len(network.classes)} answers to “{network.prompt}”"
    return f"{len(network.classes)} classes" if network.classes else "No classes"


def _frequent(names: Iterable[UnitName]) -> str:
    counted = Counter(name.concept.spoken for name in names)
    shown = [f"{name} ({count})" if count > 1 else name for name, count in counted.most_common(_SHOWN)]
    return ", ".join(shown) + (f" and {len(counted) - _SHOWN} more" if len(counted) > _SHOWN else "")
