"""Joins the commands, and surrounds them with signals, ranks, and errors in one line."""

from __future__ import annotations

import sys
import time

import typer

from . import allocator, console, failures, signals, version
from .audit import compare as audit_compare
from .audit import effect as audit_effect
from .audit import groups as audit_groups
from .audit import mistakes as audit_mistakes
from .audit import rules as audit_rules
from .commands import (
    build,
    classes_for,
    demo,
    doctor,
    explain,
    export,
    import_,
    layers,
    networks,
    serve,
    units,
    weights_convert,
)
from .commands.concepts import check, convert, fetch, find, join, kinds, label, of, show
from .commands.dictionary import check as check_dictionary
from .commands.dictionary import learn as learn_dictionary
from .commands.runs import delete, listing
from .commands.study import discrimination, results, trust
from .commands.study import serve as serve_study
from .evaluate import (
    adversarial,
    bias,
    insertion_deletion,
    localisation,
    occlusion_correlation,
    pointing,
    ratio,
    seeds,
    words,
)
from .evaluate import layers as evaluate_layers
from .evaluate import units as evaluate_units
from .evaluate.answers import accuracy as answers_accuracy
from .evaluate.answers import attention
from .evaluate.answers import occlusion_correlation as answers_occlusion
from .evaluate.answers import pointing as answers_pointing
from .evaluate.captions import accuracy as captions_accuracy
from .evaluate.captions import debts
from .evaluate.captions import pointing as captions_pointing
from .evaluate.captions import ratio as captions_ratio
from .evaluate.measuring import in_one_process
from .lost_readers import drop_output

_COURTESY = 1
"""Seconds that other ranks wait for rank 0 to report a bad command: when one rank ends, torchrun stops them all."""

app = typer.Typer(
    name="neuronexplain",
    help="Says in words why an image classifier predicts what it predicts.\n\n"
    "Name a network's neurons once (build), then explain predictions (explain) and ask what matters for a class "
    "(concepts of). Start with: neuronexplain demo",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
app.callback()(version.show_version)
app.command("demo")(demo.demo)
app.command("build")(build.build)
app.command("explain")(explain.explain)
app.command("units")(units.units)
app.command("networks")(networks.networks)
app.command("layers")(layers.layers)
app.command("export")(export.export)
app.command("import")(import_.import_)
app.command("serve")(serve.serve)
app.command("doctor")(doctor.doctor)

runs = typer.Typer(invoke_without_command=True)
runs.callback()(listing.runs)
runs.command("delete")(delete.delete)
app.add_typer(runs, name="runs")

evaluate = typer.Typer(
    help="Measure how good explanations are, by the protocols of the Grad-CAM paper.", no_args_is_help=True
)
evaluate.callback()(in_one_process)
evaluate.command("localisation")(localisation.localisation)
evaluate.command("pointing")(pointing.pointing)
evaluate.command("occlusion-correlation")(occlusion_correlation.occlusion_correlation)
evaluate.command("seeds")(seeds.seeds)
evaluate.command("ratio")(ratio.ratio)
evaluate.command("insertion-deletion")(insertion_deletion.insertion_deletion)
evaluate.command("units")(evaluate_units.units)
evaluate.command("words")(words.words)
evaluate.command("adversarial")(adversarial.adversarial)
evaluate.command("bias")(bias.bias)
evaluate.command("layers")(evaluate_layers.layers)

evaluate_captions = typer.Typer(
    help="Measure how a network that writes captions is explained (Sec. 8.1).", no_args_is_help=True
)
evaluate_captions.command("pointing")(captions_pointing.pointing)
evaluate_captions.command("ratio")(captions_ratio.ratio)
evaluate_captions.command("accuracy")(captions_accuracy.accuracy)
evaluate_captions.command("debts")(debts.debts)
evaluate.add_typer(evaluate_captions, name="captions")

evaluate_answers = typer.Typer(
    help="Measure how a network that answers questions is explained (Sec. 8.2).", no_args_is_help=True
)
evaluate_answers.command("accuracy")(answers_accuracy.accuracy)
evaluate_answers.command("pointing")(answers_pointing.pointing)
evaluate_answers.command("occlusion-correlation")(answers_occlusion.occlusion_correlation)
evaluate_answers.command("attention")(attention.attention)
evaluate.add_typer(evaluate_answers, name="answers")
app.add_typer(evaluate, name="evaluate")

audit = typer.Typer(help="Ask whether a network uses what it should.", no_args_is_help=True)
audit.callback()(in_one_process)
audit.command("compare")(audit_compare.compare)
audit.command("mistakes")(audit_mistakes.mistakes)
audit.command("groups")(audit_groups.groups)
audit.command("effect")(audit_effect.effect)
audit.command("rules")(audit_rules.rules)
app.add_typer(audit, name="audit")

study = typer.Typer(
    help="Ask people what they see in explanations: the human studies of the Grad-CAM paper.", no_args_is_help=True
)
study_make = typer.Typer(help="Make a study as a folder of questions and pictures.", no_args_is_help=True)
study_make.callback()(in_one_process)
study_make.command("discrimination")(discrimination.discrimination)
study_make.command("trust")(trust.trust)
study.add_typer(study_make, name="make")
study.command("serve")(serve_study.serve)
study.command("results")(results.results)
app.add_typer(study, name="study")

weights = typer.Typer(help="Weights files.", no_args_is_help=True)
weights.command("convert")(weights_convert.convert)
app.add_typer(weights, name="weights")

concepts = typer.Typer(
    help="Check and convert concept data, and ask which concepts matter for a class.", no_args_is_help=True
)
concepts.command("check")(check.check)
concepts.command("convert")(convert.convert)
concepts.command("label")(label.label)
concepts.command("join")(join.join)
concepts.command("kinds")(kinds.kinds)
concepts.command("of")(of.concepts_of)
concepts.command("fetch")(fetch.fetch)
concepts.command("show")(show.show)
concepts.command("find")(find.find)
app.add_typer(concepts, name="concepts")

dictionary = typer.Typer(
    help="Features of a layer, each of which stands for less than a neuron does: learn them, and check them.",
    no_args_is_help=True,
)
dictionary.command("learn")(learn_dictionary.learn)
dictionary.command("check")(check_dictionary.check)
app.add_typer(dictionary, name="dictionary")

classes = typer.Typer(help="Ask which classes a concept matters for.", no_args_is_help=True)
classes.command("for")(classes_for.classes_for)
app.add_typer(classes, name="classes")


def _run() -> int | None:
    try:
        status: int | None = app(prog_name=app.info.name, standalone_mode=False)
    except failures.UsageError as error:  # which typer shows in a box in its standalone mode
        status = failures.tell_usage(error)
    return status


def main() -> None:
    """Run the command line; an error is one line and exit status 2."""
    try:
        signals.listen()
        console.open_missing_streams()
        console.show_warnings()
        console.pass_over_logs_of_signals()
        allocator.keep_freed_memory()
        with console.only_rank_0():
            status = _run()
            sys.stdout.flush()
            sys.exit(status)
    except BaseException as error:  # noqa: BLE001 -- people are shown a line, not a traceback
        signals.is_ending = True
        sys.exit(_status(error))


def _status(error: BaseException) -> int | str | None:
    """The exit status of a command that ended with an error, which is told if it is one."""
    signals.ignore()
    if isinstance(error, BrokenPipeError):
        drop_output()
        return 1
    if isinstance(error, SystemExit):
        if error.code and console.rank():
            time.sleep(_COURTESY)
        return error.code
    return failures.tell(error)
