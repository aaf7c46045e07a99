"""``neuronexplain explain``: say why the network predicts what it predicts."""

from __future__ import annotations

from contextlib import nullcontext
from functools import partial
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from neuronexplain.cli import console, options
from neuronexplain.cli.lost_readers import outlasting_readers
from neuronexplain.figures import fixed, true_minus
from neuronexplain.phrases import percent
from neuronexplain.progress import counted
from neuronexplain.vocabulary import DEFAULT_RULES, Rules

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from PIL import Image

    from db.records import Run
    from dissection.networks.network import Network
    from dissection.vocabulary import UnitNoun
    from neuronexplain.answer import Answer
    from neuronexplain.arguments import NamedImage
    from neuronexplain.explanation import Comparison, ExplainedCaption, Explanation
    from neuronexplain.language.captions import CaptionExplainer
    from neuronexplain.vocabulary import RankedUnit

    Result = Explanation | Comparison | ExplainedCaption


_AT_ONCE = 16
"""Photographs that go through the network together."""

_LISTED = 3
"""Photographs that are named of those with the same problem."""


def explain(
    images: Annotated[list[Path], typer.Argument(metavar="IMAGE...", help="Photographs, or folders of them.")],
    db: options.Db,
    target: Annotated[
        list[str] | None,
        typer.Option(
            "--target",
            "--answer",
            help="Class to explain: label, synonym or number; by default the predicted one. Give two to compare them.",
        ),
    ] = None,
    question: options.Question = None,
    words: Annotated[bool, typer.Option("--words", help="Explain the words of the caption that is written.")] = False,
    caption: Annotated[str | None, typer.Option(help="Explain the words of this caption instead.")] = None,
    word: Annotated[
        list[str] | None, typer.Option(help="Explain this word of the caption (repeatable), whatever it owes.")
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
    dictionary: options.DictionaryNow = None,
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

    Photographs that cannot be read, or not be explained as asked, are reported at the end; the others are explained.

    Example: neuronexplain explain beach.jpg --db names.db --out why
    """
    from db import NameStore
    from db.records import require_evidence
    from dissection.files.paths import readable
    from neuronexplain.explainer import Explainer
    from neuronexplain.explaining import explained
    from neuronexplain.language.captions import CaptionExplainer
    from neuronexplain.listings import run_facts
    from neuronexplain.report.folder import PAGE, require_free, write_folder
    from neuronexplain.run_networks import named_network_and_run
    from neuronexplain.serialise import to_value

    methods, targets = options.method_names(method), target or []
    _require_sense(methods, targets, out=out, replace=replace)
    of_words = _stated({"--words": words, "--caption": caption is not None, "--word": word})
    of_classes = _stated({"--true-class": true_class is not None, "--folders-are-classes": folders_are_classes})
    if of_words and question is None:
        options.refuse_ignored([*_stated({"--target": target}), *of_classes], "the words of a caption are explained")
    paths = list(_photographs(images))
    if out:
        require_free(out, map(readable, paths), replace=replace)
    with NameStore.open(db) as store:
        judges_evidence = (max_q, min_truth) != (DEFAULT_RULES.max_q, DEFAULT_RULES.min_truth)
        opened, chosen = named_network_and_run(
            store,
            run=run,
            network=network,
            weights=weights,
            ema=ema,
            dictionary=dictionary,
            device=device,
            check=require_evidence if judges_evidence else None,
        )
        _note_whose_names(opened, chosen)
        opened, is_of_words, caption = _asked(opened, question, targets, caption, of_words, of_classes)
        explainer = Explainer.from_store(
            opened,
            store,
            run=chosen,
            rules=Rules(top, rank_by, among, min_iou, max_q, min_truth),
            methods=methods,
        )
        of_captions = CaptionExplainer.of(explainer, store, chosen) if is_of_words else None
    _require_known(of_captions, opened, targets, caption, word)
    truth = _truth(opened.classes, paths, true_class, folders_are_classes=folders_are_classes)
    problems: list[str] = []
    with outlasting_readers() if out else nullcontext():
        with console.progress() if json else console.passing_progress() as progress:
            explain_some: Callable[[Sequence[NamedImage]], Iterable[Result]] = (
                partial(of_captions.explain_all, caption=caption, words=word)
                if of_captions
                else partial(explained, explainer, targets=targets, true_class=truth.get, progress=progress)
            )
            results = _explained(
                explain_some, _readable(paths, problems), problems, at_once=1 if of_captions else _AT_ONCE
            )
            counted_results = counted(results, lambda done: progress("explaining", done, len(paths)))
            shown = counted_results if json else _printed(results)
            explanations = [explanation for explanation in shown if json or out]
        if chosen.labels and not json:
            console.say(f"The {chosen.layer.noun}s are named after {chosen.labels}.")
        if out and explanations:
            title = f"Asked “{question}”: why the network says so" if question else "Why the network says so"
            about = run_facts(chosen, named=len(explainer.names), network=opened.name)
            values = write_folder(out, explanations, title=title, facts=about, replace=replace, missing=problems)
            if not json:
                console.say(f"Pictures and page: {out / PAGE}")
        else:
            values = list(map(to_value, explanations))
    if json:
        console.write_json(values)
    _tell(problems)


def _require_sense(methods: Sequence[str], targets: Sequence[str], *, out: Path | None, replace: bool) -> None:
    from dissection.errors import NeuronExplainError

    if methods and not out:
        raise NeuronExplainError(f"--method {methods[0]} makes a picture; name a folder for pictures with --out")
    if replace and not out:
        raise NeuronExplainError("--replace is for the page in a folder; name the folder with --out")
    if len(targets) > 2:
        raise NeuronExplainError(f"--target is given {len(targets)} times; give one class, or two to compare")


def _require_known(
    of_captions: CaptionExplainer | None,
    network: Network,
    targets: Sequence[str],
    caption: str | None,
    words: Sequence[str] | None,
) -> None:
    """Check what is asked, as far as it is the same for every photograph."""
    from dissection.networks.forward import require_classes
    from neuronexplain.class_arguments import class_of, pair_of

    if of_captions:
        of_captions.require(caption=caption, words=words)
        return
    require_classes(network)
    if len(targets) > 1:
        pair_of(targets, network.classes)
    else:
        for target in targets:
            class_of(target, network.classes)


def _note_whose_names(network: Network, run: Run) -> None:
    """Say where the names come from, if the run was built with another network."""
    from neuronexplain.bodies import is_built_with

    if network.classes and not is_built_with(run, network):
        console.note(
            f"{network.name} has the body of {run.network}, and so the names of run {run.id}; what matters for its "
            "classes, only a run of its own can tell (neuronexplain build)."
        )


def _tell(problems: Sequence[str]) -> None:
    for problem in problems:
        console.note(f"neuronexplain: {problem}")
    if problems:
        raise typer.Exit(2)


def _stated(options_stated: Mapping[str, object]) -> list[str]:
    return [name for name, is_stated in options_stated.items() if is_stated]


def _asked(
    network: Network,
    question: str | None,
    targets: Sequence[str],
    caption: str | None,
    of_words: Sequence[str],
    of_classes: Sequence[str],
) -> tuple[Network, bool, str | None]:
    """The network with a question, whether words are explained, and of which text, if not of the one that it writes.

    Raises:
        NeuronExplainError: if it answers no questions, or options are stated that are for another kind of network.
    """
    from dissection.errors import NeuronExplainError

    if question is None:
        return network, bool(of_words), caption
    asked = network.asked(question)
    if asked.classes:
        options.refuse_ignored(of_words, "the network chooses its answer, and writes none")
        return asked, False, None
    options.refuse_ignored(of_classes, "the words of the answer are explained")
    answers = [*targets, *([] if caption is None else [caption])]
    if len(answers) > 1:
        raise NeuronExplainError(
            "the network writes its answer, and one is explained at a time; give one with --answer"
        )
    return asked, True, answers[0] if answers else None


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


def _explained(
    explain_some: Callable[[Sequence[NamedImage]], Iterable[Result]],
    photographs: Iterator[tuple[str, Image.Image]],
    problems: list[str],
    *,
    at_once: int,
) -> Iterator[Result]:
    """What is said of photographs, some at a time; where that fails, of each alone.

    Why some cannot be explained goes into ``problems``, once for all of which the same is to be told.
    """
    from dissection.errors import ClassNotFoundError, NetworkError

    failures: dict[str, list[str]] = {}
    while some := list(islice(photographs, at_once)):
        try:
            results = list(explain_some(some))
        except (ClassNotFoundError, NetworkError):
            for name, photograph in some:
                try:
                    yield from explain_some([(name, photograph)])
                except (ClassNotFoundError, NetworkError) as error:
                    failures.setdefault(str(error), []).append(name)
        else:
            yield from results
    for message, names in failures.items():
        more = f" and {len(names) - _LISTED} more" if len(names) > _LISTED else ""
        problems.append(f"{', '.join(names[:_LISTED])}{more}: {message}")


def _printed(results: Iterator[Result]) -> Iterator[Result]:
    from neuronexplain.answer import AnswerPair
    from neuronexplain.explanation import ExplainedCaption

    for result in results:
        if isinstance(result, ExplainedCaption):
            _print_caption(result)
        elif isinstance(result, AnswerPair):
            for answer in result.answers:
                _print(answer)
            for contrast in result.contrasts:
                console.say_item(f"  {contrast.sentence}", hanging=2)
            console.say()
        else:
            _print(result)
        yield result


def _print_caption(caption: ExplainedCaption) -> None:
    console.say(caption.image)
    console.say_item(f"  “{caption.caption}”", hanging=2)
    for word in caption.words:
        owed = "" if word.debt is None else f", {fixed(word.debt.value, 1, sign='+')} nats by the picture"
        console.say_item(f"    {word.text}: {percent(word.probability)}{owed}", hanging=6)
        if word.explanation is not None:
            console.say_item(f"      {word.sentence}", hanging=6)
            _print_units(word.explanation, indent=6)
    for remark in caption.remarks:
        console.say_item(f"  {remark}", hanging=2)
    console.say()


def _print(explanation: Answer) -> None:
    console.say(explanation.image)
    console.say_item(f"  {explanation.sentence}", hanging=2)
    _print_units(explanation)
    console.say()


def _print_units(explanation: Answer, *, indent: int = 4) -> None:
    sides = (("for", explanation.top), ("against", explanation.bottom), ("passed", explanation.passed_over))
    for side, units in sides:
        for unit in units:
            console.say_item(f"{' ' * indent}{side:7}  {_line(unit, explanation.noun)}", hanging=indent + 9)


def _line(unit: RankedUnit, noun: UnitNoun) -> str:
    said = unit.clause if unit.is_spoken else f"unspoken: {unit.clause}"
    numbers = (f"{name} {true_minus(f'{getattr(unit, name):+.2e}')}" for name in ("alpha", "effect", "contribution"))
    return f"{noun} {unit.unit:4}  {'  '.join(numbers)}  {'lit' if unit.lit else 'silent':6}  {_name(unit)}  [{said}]"


def _name(unit: RankedUnit) -> str:
    """What a unit stands for, with what speaks for that."""
    if unit.meaning is None:
        return "-"
    facts, counts = [unit.meaning.category, *_evidence(unit)], unit.counts
    if counts is not None:
        truth = "" if unit.truth is None else f"true {unit.truth:.0%}, "
        facts.append(f"{truth}on {counts.hit_images} of {counts.lit_images} lit images")
    return f"{unit.meaning.spoken} ({'; '.join(facts)})"


def _evidence(unit: RankedUnit) -> Iterator[str]:
    """What speaks for a formula, or for a name."""
    name, evidence = unit.name, unit.evidence
    if (composition := unit.composition) is not None:
        low, high = composition.gain
        yield f"IoU {composition.held_out.iou:.2f} held out, {low:.3f} to {high:.3f} more than anything shorter"
        yield f"q {composition.q:.2g}"
        if name is not None:
            yield f"its name is {name.concept.spoken}, IoU {name.iou:.2f}"
    elif name is not None and evidence is not None:
        low, high = evidence.iou
        yield f"IoU {name.iou:.2f}, {low:.2f} to {high:.2f}"
        yield f"q {evidence.q:.2g}"
        yield f"kept {evidence.kept:.0%}"
    elif name is not None:
        yield f"IoU {name.iou:.2f}"
