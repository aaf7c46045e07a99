"""``neuronexplain explain``: say why the network predicts what it predicts."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from neuronexplain.cli import console, options
from neuronexplain.progress import counted
from neuronexplain.vocabulary import DEFAULT_RULES, Rules

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from PIL import Image

    from db.records import Run
    from neuronexplain.explanation import Explanation
    from neuronexplain.vocabulary import RankedUnit

Paths = Mapping[str, str]
HEATMAP = ""


def explain(
    images: Annotated[list[Path], typer.Argument(metavar="IMAGE...", help="Photographs, or folders of them.")],
    db: options.Db,
    target: Annotated[
        str | None, typer.Option(help="Class to explain: label, synonym or number; by default the predicted one.")
    ] = None,
    top: Annotated[int, typer.Option(min=1, help="How many neurons for, and how many against.")] = DEFAULT_RULES.k,
    rank_by: options.Ranking = DEFAULT_RULES.rank_by,
    among: options.AmongNeurons = DEFAULT_RULES.among,
    min_iou: options.MinIou = DEFAULT_RULES.min_iou,
    max_q: options.MaxQ = DEFAULT_RULES.max_q,
    min_truth: options.MinTruth = DEFAULT_RULES.min_truth,
    network: options.NetworkNow = None,
    weights: options.Weights = None,
    ema: options.Ema = False,
    run: options.RunNumber = None,
    out: Annotated[
        Path | None, typer.Option(help="Folder for a picture of each image, explanations.json and index.html.")
    ] = None,
    method: Annotated[
        list[options.Method] | None,
        typer.Option(help="Another explanation to show beside the words (repeatable); needs --out."),
    ] = None,
    device: options.Device = "cpu",
    json: options.Json = False,
) -> None:
    """Say in words why the network predicts what it predicts, for each photograph.

    Photographs that cannot be read are reported at the end; the others are still explained.

    Example: neuronexplain explain beach.jpg --db names.db --out why
    """
    from db import NameStore
    from db.records import require_evidence
    from dissection.errors import NeuronExplainError
    from neuronexplain.explainer import Explainer
    from neuronexplain.run_networks import open_network_of

    methods = options.method_names(method)
    if methods and not out:
        raise NeuronExplainError(f"--method {methods[0]} makes a picture; name a folder for pictures with --out")
    with NameStore.open(db) as store:
        chosen = store.choose(run)
        if (max_q, min_truth) != (DEFAULT_RULES.max_q, DEFAULT_RULES.min_truth):
            require_evidence(chosen)
        explainer = Explainer.from_store(
            open_network_of(chosen, network=network, weights=weights, ema=ema, device=device),
            store,
            run=chosen,
            rules=Rules(top, rank_by, among, min_iou, max_q, min_truth),
            methods=methods,
        )
    if out:
        out.mkdir(parents=True, exist_ok=True)  # before the work, which would be lost
    problems: list[str] = []
    paths = list(_photographs(images))
    with console.progress() if json else console.passing_progress() as progress:
        results = explainer.explain(_readable(paths, problems), target=target, progress=progress)
        counted_results = counted(results, lambda done: progress("explaining", done, len(paths)))
        shown = counted_results if json else _printed(results)
        explanations = [explanation for explanation in shown if json or out]
    pictures = write_results(out, explanations, chosen, named=len(explainer.names)) if out else {}
    if json:
        console.write_json([_json(explanation, pictures.get(explanation.image, {})) for explanation in explanations])
    elif out:
        console.say(f"Pictures and page: {out / 'index.html'}")
    for problem in problems:
        console.note(f"neuronexplain: {problem}")
    if problems:
        raise typer.Exit(2)


def write_results(out: Path, explanations: Sequence[Explanation], run: Run, *, named: int) -> dict[str, Paths]:
    """Write pictures, JSON and page into a folder, and return the paths of each image's pictures."""
    from neuronexplain.report.page import write_page

    pictures = write_pictures(out, explanations)
    write_page(out / "index.html", explanations, title="Why the network says so", facts=facts(run, named=named))
    return pictures


def write_pictures(out: Path, explanations: Sequence[Explanation]) -> dict[str, Paths]:
    """Write each image's pictures and explanations.json into a folder, and other methods' pictures into subfolders.

    Returns:
        The path of each picture, by image and then by method; the heat map's key is HEATMAP.
    """
    import json

    from dissection.files.atomic import replace_file
    from dissection.files.paths import readable
    from neuronexplain.pictures.overlay import method_picture, overlay, save_picture, side_by_side

    out.mkdir(parents=True, exist_ok=True)
    paths: dict[str, Paths] = {}
    for explanation, name in zip(explanations, _file_names(explanations), strict=True):
        photograph = explanation.photograph
        pictures = {HEATMAP: (out / name, side_by_side(photograph, overlay(photograph, explanation.heatmap)))}
        for method_map in explanation.others:
            pictures[method_map.method.name] = (
                out / method_map.method.name / name,
                method_picture(photograph, method_map),
            )
        for path, picture in pictures.values():
            path.parent.mkdir(exist_ok=True)
            save_picture(picture, path)
        paths[explanation.image] = {method: readable(path) for method, (path, _) in pictures.items()}
    values = [_json(explanation, paths[explanation.image]) for explanation in explanations]
    replace_file(out / "explanations.json", json.dumps(values, indent=2, ensure_ascii=False).encode())
    return paths


def _json(explanation: Explanation, pictures: Paths) -> dict[str, object]:
    from neuronexplain.serialise import to_json

    return to_json(explanation, heatmap=pictures.get(HEATMAP), methods=pictures)


def facts(run: Run, *, named: int) -> dict[str, str]:
    """What a page says about a run."""
    return {
        "Network": run.network,
        "Layer": f"{run.layer.name}, {run.layer.units} neurons, {run.layer.height} x {run.layer.width}",
        "Named neurons": f"{named} of {run.layer.units}",
        "Concepts": f"{run.concepts}, {run.images} images",
        "Quantile": f"{run.key.quantile:g}",
        "Built": f"{run.created:%F}",
    }


def _photographs(paths: Iterable[Path]) -> Iterator[Path]:
    from dissection.images.photographs import photographs_in

    for path in paths:
        if path.is_dir():
            yield from photographs_in(path)
        else:
            yield path


def _readable(paths: Iterable[Path], problems: list[str]) -> Iterator[tuple[str, Image.Image]]:
    """The photographs that can be read; errors of the others go into ``problems``."""
    from dissection.errors import PhotographError
    from dissection.files.paths import readable
    from dissection.images.photographs import open_photograph

    for path in paths:
        try:
            photograph = open_photograph(path)
        except PhotographError as error:
            problems.append(str(error))
        else:
            yield readable(path), photograph


def _file_names(explanations: Sequence[Explanation]) -> Iterator[str]:
    taken: set[str] = set()
    for explanation in explanations:
        stem = name = Path(explanation.image).stem
        number = 2
        while name in taken:
            name = f"{stem}-{number}"
            number += 1
        taken.add(name)
        yield f"{name}.png"


def _printed(results: Iterable[Explanation]) -> Iterator[Explanation]:
    for explanation in results:
        _print(explanation)
        yield explanation


def _print(explanation: Explanation) -> None:
    console.say(explanation.image)
    console.say(f"  {explanation.sentence}")
    sides = (("for", explanation.top), ("against", explanation.bottom), ("passed", explanation.passed_over))
    for side, units in sides:
        for unit in units:
            console.say(f"    {side:7}  {_line(unit)}")
    console.say()


def _line(unit: RankedUnit) -> str:
    said = unit.clause if unit.is_spoken else f"unspoken: {unit.clause}"
    return (
        f"neuron {unit.unit:4}  alpha {unit.alpha:+.2e}  effect {unit.effect:+.2e}  "
        f"contribution {unit.contribution:+.2e}  {'lit' if unit.lit else 'silent':6}  {_name(unit)}  [{said}]"
    )


def _name(unit: RankedUnit) -> str:
    """A unit's name with what speaks for it."""
    if unit.name is None:
        return "-"
    iou, evidence, counts = f"IoU {unit.name.iou:.2f}", unit.evidence, unit.counts
    facts = [unit.name.concept.category, iou]
    if evidence is not None:
        low, high = evidence.iou
        facts[1:] = [f"{iou}, {low:.2f} to {high:.2f}", f"q {evidence.q:.2g}", f"kept {evidence.kept:.0%}"]
    if counts is not None:
        truth = "" if unit.truth is None else f"true {unit.truth:.0%}, "
        facts.append(f"{truth}on {counts.hit_images} of {counts.lit_images} lit images")
    return f"{unit.name.concept.spoken} ({'; '.join(facts)})"
