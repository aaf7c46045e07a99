"""``neuronexplain audit compare``: what changed between two checkpoints."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from dissection.vocabulary import MIN_IOU
from neuronexplain.cli import console, options
from neuronexplain.cli.evaluate.measuring import Fresh
from neuronexplain.vocabulary import Rules

if TYPE_CHECKING:
    from db import NameStore
    from db.records import Run
    from dissection.execution.settings import Execution
    from neuronexplain.audit.compare.page import PhotographBeside
    from neuronexplain.audit.compare.photographs import PhotographFolder
    from neuronexplain.audit.compare.speech import SpeechCompared
    from neuronexplain.evaluation.tables import Report
    from neuronexplain.explainer import Explainer

_SHOWN = 6
"""Photographs that the page shows side by side."""


def compare(
    first: Annotated[str, typer.Argument(metavar="A.db", help="The database of the first network's names.")],
    second: Annotated[str, typer.Argument(metavar="B.db", help="The database of the second's; it may be the same.")],
    photographs: Annotated[
        Path | None,
        typer.Argument(
            help="Photographs to explain with both: a folder, or a folder for each class.", show_default=False
        ),
    ] = None,
    run: options.RunNumber = None,
    run_2: Annotated[int | None, typer.Option("--run-2", help="Which run of B.db, if it holds several.")] = None,
    network: options.NetworkNow = None,
    network_2: Annotated[str | None, typer.Option("--network-2", help="The same for B.db.")] = None,
    weights: options.Weights = None,
    weights_2: Annotated[Path | None, typer.Option("--weights-2", help="The same for B.db.")] = None,
    dictionary: options.DictionaryNow = None,
    dictionary_2: Annotated[Path | None, typer.Option("--dictionary-2", help="The same for B.db.")] = None,
    min_iou: options.MinIou = MIN_IOU,
    rows: Annotated[int, typer.Option(min=1, help="Rows of each table.")] = 10,
    out: Annotated[
        Path | None, typer.Option(help="Folder for index.html and compare.json; the same command resumes.")
    ] = None,
    batch_size: options.BatchSize = 16,
    device: options.Device = "cpu",
    fresh: Fresh = False,
    json: options.Json = False,
) -> None:
    """Compare two networks by their names: what changed in names, classes, sentences, and in what scores rest on.

    The largest changes come first, with intervals; what noise may have done is called noise. Neurons are compared by
    number only where a number means the same in both networks, which is measured.

    Example: neuronexplain audit compare before.db after.db photographs --out changes
    """
    from contextlib import ExitStack

    from db import NameStore
    from dissection.execution.settings import Execution
    from neuronexplain.audit.compare.page import comparison_json, write_comparison
    from neuronexplain.audit.compare.photographs import open_photographs
    from neuronexplain.audit.compare.runs import compare_runs
    from neuronexplain.audit.compare.tables import likeness_sentence, reports
    from neuronexplain.audit.page import AUDIT_PAGE, require_audit_folder

    if photographs is None:
        ignored = {
            "--network": network,
            "--network-2": network_2,
            "--weights": weights,
            "--weights-2": weights_2,
            "--dictionary": dictionary,
            "--dictionary-2": dictionary_2,
        }
        options.refuse_ignored((name for name, value in ignored.items() if value), "no photographs are explained")
    if out is not None:
        require_audit_folder(out)
    with ExitStack() as stack:
        stores = [stack.enter_context(NameStore.open(place)) for place in (first, second)]
        before, after = stores[0].choose(run), stores[1].choose(run_2)
        execution = Execution(batch_size=batch_size, progress=stack.enter_context(console.progress()))
        speech: SpeechCompared | None = None
        shown: list[PhotographBeside] = []
        if photographs is not None:
            folder = open_photographs(photographs)
            explainers = (
                _explainer(stores[0], before, network, weights, dictionary, device, min_iou),
                _explainer(stores[1], after, network_2, weights_2, dictionary_2, device, min_iou),
            )
            speech, shown = _speech(folder, explainers, out, execution, fresh=fresh)
        compared = compare_runs(
            (stores[0], before), (stores[1], after), min_iou=min_iou, speech=speech, execution=execution
        )
    if out is not None:
        write_comparison(out, compared, shown, rows=rows)
    if json:
        console.write_json(comparison_json(compared))
        return
    console.say(f"Before: {before.network}, {before.layer.name}. After: {after.network}, {after.layer.name}.")
    console.say(likeness_sentence(compared))
    for note in compared.notes:
        console.say(f"{note[0].upper()}{note[1:]}.")
    console.say("In brackets: 95 % intervals.")
    for report in reports(compared, rows=rows):
        console.say()
        _say(report)
    if out is not None:
        console.say(f"Page: {out / AUDIT_PAGE}")


def _say(report: Report) -> None:
    """Print a table, or only what is said of it where it has no rows."""
    console.say(f"{report.title}.")
    if report.rows:
        console.write_rows([dict(row) for row in report.cells()], report.columns, as_json=False, as_csv=False)
    for note in report.notes:
        console.say(f"{note[0].upper()}{note[1:]}.")


def _explainer(
    store: NameStore,
    run: Run,
    network: str | None,
    weights: Path | None,
    dictionary: Path | None,
    device: str,
    min_iou: float,
) -> Explainer:
    """The network of a run, opened again, with the names of its units."""
    from neuronexplain.explainer import Explainer
    from neuronexplain.run_networks import open_network_of

    opened = open_network_of(run, network=network, weights=weights, dictionary=dictionary, device=device)
    return Explainer.from_store(opened, store, run=run, rules=Rules(min_iou=min_iou))


def _speech(
    photographs: PhotographFolder,
    explainers: tuple[Explainer, Explainer],
    out: Path | None,
    execution: Execution,
    *,
    fresh: bool,
) -> tuple[SpeechCompared, list[PhotographBeside]]:
    """What both networks say of the photographs, and those of them that the page shows."""
    from neuronexplain.audit.compare.page import PhotographBeside
    from neuronexplain.audit.compare.photographs import explain_again, explained_by_both
    from neuronexplain.audit.compare.speech import compared

    speech = compared(explained_by_both(photographs, explainers, out, execution, fresh=fresh))
    changes = speech.photograph_changes[:_SHOWN] if out is not None else ()
    again = explain_again(photographs, [change.index for change in changes], explainers)
    return speech, [PhotographBeside(change, pair) for change, pair in zip(changes, again, strict=True)]
