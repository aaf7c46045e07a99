"""``neuronexplain explain``: say why the network predicts what it predicts."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from neuronexplain.cli import console, options
from neuronexplain.progress import counted
from neuronexplain.vocabulary import DEFAULT_RULES, Rules

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from PIL import Image

    from neuronexplain.answer import Answer
    from neuronexplain.explanation import Comparison, Explanation
    from neuronexplain.vocabulary import RankedUnit


def explain(
    images: Annotated[list[Path], typer.Argument(metavar="IMAGE...", help="Photographs, or folders of them.")],
    db: options.Db,
    target: Annotated[
        list[str] | None,
        typer.Option(
            help="Class to explain: label, synonym or number; by default the predicted one. Give two to compare them."
        ),
    ] = None,
    true_class: Annotated[
        str | None, typer.Option(metavar="CLASS", help="Class that the photographs show, to be marked on the page.")
    ] = None,
    folders_are_classes: Annotated[
        bool, typer.Option("--folders-are-classes", help="A photograph shows the class that its folder is named after.")
    ] = False,
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
    replace: Annotated[bool, typer.Option("--replace", help="Replace the page that --out holds already.")] = False,
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
    from dissection.files.paths import readable
    from neuronexplain.explainer import Explainer
    from neuronexplain.explaining import explained
    from neuronexplain.listings import run_facts
    from neuronexplain.report.folder import PAGE, require_free, write_folder
    from neuronexplain.run_networks import open_network_of
    from neuronexplain.serialise import to_value

    methods, targets = options.method_names(method), target or []
    _require_sense(methods, targets, out=out, replace=replace)
    paths = list(_photographs(images))
    if out:
        require_free(out, map(readable, paths), replace=replace)
    with NameStore.open(db) as store:
        chosen = store.choose(run) if run is not None else store.newest_of(network)
        if (max_q, min_truth) != (DEFAULT_RULES.max_q, DEFAULT_RULES.min_truth):
            require_evidence(chosen)
        explainer = Explainer.from_store(
            open_network_of(chosen, network=network, weights=weights, ema=ema, device=device),
            store,
            run=chosen,
            rules=Rules(top, rank_by, among, min_iou, max_q, min_truth),
            methods=methods,
        )
    truth = _truth(chosen.classes, paths, true_class, folders_are_classes=folders_are_classes)
    problems: list[str] = []
    with console.progress() if json else console.passing_progress() as progress:
        results = explained(explainer, _readable(paths, problems), targets, true_class=truth.get, progress=progress)
        counted_results = counted(results, lambda done: progress("explaining", done, len(paths)))
        shown = counted_results if json else _printed(results)
        explanations = [explanation for explanation in shown if json or out]
    if out and explanations:
        title, about = "Why the network says so", run_facts(chosen, named=len(explainer.names))
        values = write_folder(out, explanations, title=title, facts=about, replace=replace, missing=problems)
        if not json:
            console.say(f"Pictures and page: {out / PAGE}")
    else:
        values = [to_value(explanation) for explanation in explanations]
    if json:
        console.write_json(values)
    for problem in problems:
        console.note(f"neuronexplain: {problem}")
    if problems:
        raise typer.Exit(2)


def _require_sense(methods: Sequence[str], targets: Sequence[str], *, out: Path | None, replace: bool) -> None:
    from dissection.errors import NeuronExplainError

    if methods and not out:
        raise NeuronExplainError(f"--method {methods[0]} makes a picture; name a folder for pictures with --out")
    if replace and not out:
        raise NeuronExplainError("--replace is for the page in a folder; name the folder with --out")
    if len(targets) > 2:
        raise NeuronExplainError(f"--target is given {len(targets)} times; give one class, or two to compare")


def _truth(
    classes: Sequence[str], paths: Sequence[Path], true_class: str | None, *, folders_are_classes: bool
) -> Mapping[str, int]:
    """The class that each photograph is known to show, by its name."""
    from dissection.errors import NeuronExplainError
    from dissection.files.paths import readable
    from neuronexplain.classes import find_class

    if true_class is not None and folders_are_classes:
        raise NeuronExplainError("--true-class and --folders-are-classes both say what is shown; leave one of them out")
    if true_class is not None:
        return dict.fromkeys(map(readable, paths), find_class(classes, true_class))
    if folders_are_classes:
        return {readable(path): find_class(classes, path.absolute().parent.name) for path in paths}
    return {}


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


def _printed(results: Iterator[Explanation | Comparison]) -> Iterator[Explanation | Comparison]:
    from neuronexplain.answer import AnswerPair

    for result in results:
        if isinstance(result, AnswerPair):
            for answer in result.answers:
                _print(answer)
            for contrast in result.contrasts:
                console.say_item(f"  {contrast.sentence}", hanging=2)
            console.say()
        else:
            _print(result)
        yield result


def _print(explanation: Answer) -> None:
    console.say(explanation.image)
    console.say_item(f"  {explanation.sentence}", hanging=2)
    sides = (("for", explanation.top), ("against", explanation.bottom), ("passed", explanation.passed_over))
    for side, units in sides:
        for unit in units:
            console.say_item(f"    {side:7}  {_line(unit)}", hanging=13)
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
