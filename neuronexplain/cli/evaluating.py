"""``neuronexplain evaluate``: measure methods of explanation."""

from __future__ import annotations

from enum import StrEnum
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from dissection.errors import NeuronExplainError
from dissection.vocabulary import MIN_IOU
from neuronexplain.vocabulary import DataKind, ViewKind

from . import console, options

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from db.records import Run
    from dissection.networks.network import Network
    from neuronexplain.evaluation.protocols.protocol import Protocol
    from neuronexplain.evaluation.tables import Report
    from neuronexplain.methods import Method


_INTERVAL = "In brackets: 95 % of resamples of the images."


class ProtocolName(StrEnum):
    """What is measured."""

    localisation = "localisation"
    pointing = "pointing"
    occlusion = "occlusion-correlation"
    seeds = "seeds"
    ratio = "ratio"
    insertion = "insertion-deletion"
    units = "units"
    adversarial = "adversarial"
    bias = "bias"
    layers = "layers"


def evaluate(
    protocol: Annotated[ProtocolName, typer.Argument(help="What to measure.", show_default=False)],
    out: Annotated[Path, typer.Option(help="Folder for what is found; the same command goes on from there.")],
    network: Annotated[
        str | None, typer.Option(help="A name that 'neuronexplain networks' lists, program.pt2, or a factory.")
    ] = None,
    db: Annotated[
        str | None, typer.Option("--db", help="A database whose network is measured, in place of --network.")
    ] = None,
    method: Annotated[
        list[str] | None, typer.Option(help="Whose maps; may be given more than once. By default grad-cam.")
    ] = None,
    data: Annotated[Path | None, typer.Option(help="Annotated images; for layers, a photograph or a folder.")] = None,
    kind: Annotated[DataKind, typer.Option(help="Their layout; scenes are generated.")] = "concepts",
    split: Annotated[str | None, typer.Option(help="Which list of images: val, val2017, test.")] = None,
    matches: Annotated[
        Path | None, typer.Option(help="CSV file with the columns class,object, in place of matching by name.")
    ] = None,
    view: Annotated[
        ViewKind, typer.Option(help="What the network sees: the whole photograph, its centre, or ten crops.")
    ] = "whole",
    limit: Annotated[int | None, typer.Option(min=1, help="Use only so many images, evenly spread.")] = None,
    weights: options.Weights = None,
    layer: Annotated[str | None, typer.Option(help="Layer of Grad-CAM; by default the last rectified map.")] = None,
    classes: options.Classes = None,
    mean: options.Mean = None,
    std: options.Std = None,
    input_size: options.InputSize = None,
    resize: options.Resize = None,
    channels: options.Channels = None,
    output: options.Output = None,
    multi_label: options.MultiLabel = False,
    target: Annotated[str | None, typer.Option(help="layers: the class; by default the predicted one.")] = None,
    tolerance: Annotated[int, typer.Option(min=0, help="pointing: pixels by which a point may miss; 15 is usual.")] = 0,
    patch: Annotated[
        float | None, typer.Option(min=0.01, max=1, help="occlusion-correlation: side of the patch, of the image's.")
    ] = None,
    stride: Annotated[
        float | None, typer.Option(min=0.005, max=1, help="occlusion-correlation: its step, of the image's side.")
    ] = None,
    steps: Annotated[int | None, typer.Option(min=1, help="insertion-deletion: steps of a curve.")] = None,
    radius: Annotated[
        float | None, typer.Option(min=1 / 255, max=1, help="adversarial: by how much a colour may change, of 1.")
    ] = None,
    top: Annotated[int, typer.Option(min=1, help="units: how many are left out.")] = 5,
    min_iou: options.MinIou = MIN_IOU,
    seed: Annotated[int, typer.Option(help="Of generated scenes, halves and random choices.")] = 0,
    run: options.RunNumber = None,
    batch_size: options.BatchSize = 16,
    device: options.Device = "cpu",
    workers: Annotated[int, typer.Option(min=0, help="Processes that read photographs.")] = 0,
    fresh: Annotated[bool, typer.Option("--fresh", help="Begin again.")] = False,
    json: options.Json = False,
) -> None:
    """Measure how good explanations are, by the protocols of the Grad-CAM paper.

    localisation (Sec. 4.1), pointing (4.3), occlusion-correlation (5.3), seeds (4.2), ratio (8.1), insertion-deletion,
    units (what the class loses without its named neurons), adversarial (6.2: is what is there still found when the
    network is fooled?), bias (6.3: two networks are trained on generated scenes, which takes minutes), layers (a
    picture of Grad-CAM at every stage).

    Example: neuronexplain evaluate pointing --network scenes --kind scenes --method grad-cam --out figures
    """
    from dissection.execution.settings import Execution
    from neuronexplain.evaluation.ground_truth.opening import open_ground
    from neuronexplain.evaluation.runner import evaluate as measure

    if protocol is ProtocolName.bias:
        _study_bias(out, limit, seed, batch_size, fresh=fresh, json=json)
        return
    opened, names = _opened(
        network,
        db,
        run,
        min_iou,
        weights=weights,
        device=device,
        layer=layer,
        classes=classes,
        mean=options.numbers(mean) if mean else None,
        std=options.numbers(std) if std else None,
        input_size=input_size,
        resize=options.resizing(resize) if resize else None,
        channels=channels,
        output=output,
        multi_label=multi_label or None,
    )
    if protocol is ProtocolName.layers:
        _draw_layers(opened, data, target, out, json=json)
        return
    settings = {"tolerance": tolerance, "patch": patch, "stride": stride, "steps": steps, "radius": radius}
    measured = _protocol(protocol, settings | {"named": names, "k": top, "seed": seed})
    ground = open_ground(
        data,
        opened.classes,
        kind=kind,
        split=split,
        masks=protocol is ProtocolName.seeds,
        table=matches,
        limit=limit,
        seed=seed,
    )
    chosen = _methods(method) if "methods" in measured.needs else []
    with console.progress() as progress:
        execution = Execution(batch_size=batch_size, workers=workers, progress=progress)
        report = measure(measured, opened, chosen, ground, out, view=view, execution=execution, fresh=fresh)
    _tell(report, ground.name, opened, json=json)


def _opened(
    network: str | None,
    db: str | None,
    run: int | None,
    min_iou: float,
    *,
    weights: Path | None,
    device: str,
    **how: object,
) -> tuple[Network, tuple[int, ...] | None]:
    """The network, and which of its units have a name where a database says so."""
    from dissection.networks.opening import open_network

    if db is not None:
        own = {"network": network, **how}
        if given := [f"--{name.replace('_', '-')}" for name, value in own.items() if value is not None]:
            raise NeuronExplainError(
                f"--db brings its own network, so {', '.join(given)} would be ignored; leave it out"
            )
        from db import NameStore
        from neuronexplain.explaining import open_network_of

        with NameStore.open(db) as store:
            chosen: Run = store.choose(run)
            opened = open_network_of(chosen, weights=weights, device=device)
            if opened.fingerprint != chosen.key.network:
                chosen = store.run_for(opened.fingerprint)
            return opened, tuple(sorted(store.names(chosen, min_iou)))
    if network is None:
        raise NeuronExplainError("no network is named; name one with --network, or a database with --db")
    with console.bytes_progress() as progress:
        told = partial(progress, "fetching the weights")
        return open_network(network, weights=weights, device=device, progress=told, **how), None  # type: ignore[arg-type]


def _protocol(name: ProtocolName, settings: Mapping[str, Any]) -> Protocol:
    """The protocol, with those of the settings that are its own and were given."""
    from dataclasses import fields

    from neuronexplain.evaluation import protocols
    from neuronexplain.studies.adversarial import Adversarial
    from neuronexplain.studies.attack import Attack

    if name is ProtocolName.units and not settings["named"]:
        raise NeuronExplainError("units needs names of neurons, and there are none; name a database with --db")
    kinds: tuple[type[Protocol], ...] = (
        *(protocols.Localisation, protocols.Pointing, protocols.OcclusionCorrelation, protocols.Seeds),
        *(protocols.Ratio, protocols.InsertionDeletion, protocols.UnitAblation, Adversarial),
    )
    kind = next(each for each in kinds if each.name == name.value)
    if kind is Adversarial and settings["radius"] is not None:
        settings = {**settings, "attack": Attack(radius=settings["radius"])}
    own = {field.name for field in fields(kind)}
    return kind(**{key: value for key, value in settings.items() if key in own and value is not None})


def _methods(names: Sequence[str] | None) -> list[Method]:
    from neuronexplain.methods import METHODS

    wanted = list(dict.fromkeys(names or ["grad-cam"]))
    unknown = [name for name in wanted if name not in METHODS]
    if unknown:
        raise NeuronExplainError(f"no method is called {unknown[0]!r}; there are {', '.join(METHODS)}")
    return [METHODS[name] for name in wanted]


def _tell(report: Report, data: str, network: Network, *, json: bool) -> None:
    if json:
        console.write_json(report.to_json())
        return
    _show(report, f"{network.name}, {network.layer.name}, on {data}. ")


def _show(report: Report, where: str = "", *, interval: bool = True) -> None:
    console.say(report.title)
    console.say(f"{where}{_INTERVAL if interval else ''}")
    console.write_rows([dict(row) for row in report.cells()], report.columns, as_json=False, as_csv=False)
    for note in report.notes:
        console.say(f"{note[0].upper()}{note[1:]}.")


def _study_bias(out: Path, limit: int | None, seed: int, batch_size: int, *, fresh: bool, json: bool) -> None:
    from dissection.execution.settings import Execution
    from neuronexplain.studies.bias import Bias, study_bias

    study = Bias(seed=seed) if limit is None else Bias(seed=seed, tested=limit)
    with console.progress() as progress:
        result = study_bias(study, out, execution=Execution(batch_size=batch_size, progress=progress), fresh=fresh)
    if json:
        console.write_json(result.to_json())
        return
    _show(result.measured)
    _show(result.words, interval=False)
    for each in result.sentences:
        for name, sentence in each.items():
            console.say(f"{name}: {sentence}")
        console.say()
    console.say(f"Picture: {out / 'bias.png'}")


def _draw_layers(network: Network, data: Path | None, target: str | None, out: Path, *, json: bool) -> None:
    from dissection.images.photographs import open_photograph, photographs_in
    from dissection.networks.forward import forward
    from neuronexplain.classes import find_class
    from neuronexplain.pictures.overlay import save_picture
    from neuronexplain.studies.stages import sheet, stages

    files = [data] if data and data.is_file() else photographs_in(data) if data and data.is_dir() else []
    if not files:
        raise NeuronExplainError(f"--data {data or ''}: there is no photograph; name one, or a folder of them")
    wanted = find_class(network.classes, target) if target is not None else None
    out.mkdir(parents=True, exist_ok=True)
    drawn = []
    with console.progress() as progress:
        for done, file in enumerate(files, 1):
            frame = network.preprocessing.frame(open_photograph(file))
            image = network.preprocessing.tensor(frame)
            index = int(forward(network, image[None]).scores.argmax()) if wanted is None else wanted
            path = out / f"{file.stem}-layers.png"
            save_picture(sheet(frame, stages(network, image, index)), path)
            drawn.append({"image": str(file), "class": network.classes[index], "picture": str(path)})
            progress("drawing", done, len(files))
    if json:
        console.write_json(drawn)
        return
    for each in drawn:
        console.say(f"{each['image']}: {each['class']} at every stage: {each['picture']}")
