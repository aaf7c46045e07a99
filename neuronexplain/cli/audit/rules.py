"""``neuronexplain audit rules``: does a network keep the rules of a file?"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from neuronexplain.cli import console, options
from neuronexplain.cli.evaluate.measuring import Fresh
from neuronexplain.cli.groups import grouped
from neuronexplain.vocabulary import CoverKind

from .audited_run import AuditedRun, ProvenNames
from .effect import Masks, Seed, Workers

if TYPE_CHECKING:
    from collections.abc import Sequence

    from neuronexplain.audit.rules.rules import JudgedRule


@grouped
def rules(
    *,
    file: Annotated[Path, typer.Argument(metavar="RULES", help="The rules, a TOML file.")],
    audited: AuditedRun,
    names: ProvenNames,
    photos: Annotated[
        Path | None, typer.Option("--photos", metavar="DIR", help="A folder per class, instead of the one in RULES.")
    ] = None,
    masks: Masks = None,
    cover: Annotated[
        CoverKind, typer.Option(help="What pixels are covered with: the mean colour, or a blur.")
    ] = "mean",
    draws: Annotated[int, typer.Option(min=1, help="Random draws that each photograph is compared with.")] = 4,
    seed: Seed = 0,
    strict: Annotated[bool, typer.Option("--strict", help="Fail where a rule is undecided, too.")] = False,
    out: Annotated[Path | None, typer.Option(help="Folder for the page and JSON; the same command resumes.")] = None,
    junit: Annotated[Path | None, typer.Option(metavar="FILE", help="Also write JUnit XML, which CI shows.")] = None,
    batch_size: options.BatchSize = 16,
    workers: Workers = 0,
    fresh: Fresh = False,
    json: options.Json = False,
) -> None:
    """Check rules on what classes may and must lean on; exit status 1 where one is broken.

    A rule is undecided where the evidence is too thin, and says what data would decide it; that is no failure, unless
    with --strict.

    Example: neuronexplain audit rules rules.toml --db names.db --out rules --junit rules.xml
    """
    from dissection.concepts.layouts import open_concepts
    from dissection.execution.settings import Execution
    from dissection.files.atomic import replace_file
    from dissection.files.paths import readable
    from neuronexplain.audit.effect.covering import AuditDraws
    from neuronexplain.audit.page import AUDIT_PAGE, require_audit_folder
    from neuronexplain.audit.rules.junit import junit_xml
    from neuronexplain.audit.rules.pages import rules_json, write_rules
    from neuronexplain.audit.rules.rules_file import read_rules
    from neuronexplain.audit.rules.rules_run import audit_rules

    if out is not None:
        require_audit_folder(out)
    asked = read_rules(file)
    named = names.of(audited)
    data = masks or asked.masks
    with console.progress() as progress:
        judgements = audit_rules(
            named,
            asked.rules,
            photographs=photos or asked.photographs,
            masks=None if data is None else open_concepts(data),
            draws=AuditDraws(draws, seed, cover),
            journals=out and out / "measured",
            execution=Execution(batch_size=batch_size, workers=workers, progress=progress),
            fresh=fresh,
        )
    if junit is not None:
        replace_file(junit, junit_xml(judgements, suite=readable(file.name)))
    if out is not None:
        write_rules(out, judgements, named, title=f"Rules for {named.network.name}")
    if json:
        console.write_json(rules_json(judgements))
    else:
        _say(judgements)
        if out is not None:
            console.say(f"Page: {out / AUDIT_PAGE}")
    failing = {"broken", "undecided"} if strict else {"broken"}
    if any(judgement.outcome in failing for judgement in judgements):
        raise typer.Exit(1)


def _say(judgements: Sequence[JudgedRule]) -> None:
    for judgement in judgements:
        console.say_item(f"{judgement.outcome:9}  {_line(judgement)}", hanging=11)
    counts = [
        f"{sum(judgement.outcome == outcome for judgement in judgements)} {outcome}"
        for outcome in ("kept", "broken", "undecided")
    ]
    console.say(f"{', '.join(counts)}.")


def _line(judgement: JudgedRule) -> str:
    """A rule's message, after its name if that says something else."""
    is_named = not judgement.rule.name.startswith(judgement.rule.demand)
    return f"{judgement.rule.name}: {judgement.message}" if is_named else judgement.message
