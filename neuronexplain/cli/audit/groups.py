"""``neuronexplain audit groups``: is a network right as often in one group of photographs as in another."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from neuronexplain.cli import console
from neuronexplain.cli.groups import grouped
from neuronexplain.counts import count
from neuronexplain.phrases import enumerate_words
from neuronexplain.vocabulary import DEFAULT_RULES

from .audited_run import AuditedRun, AuditOutput

if TYPE_CHECKING:
    from collections.abc import Sequence

    from neuronexplain.audit.groups.groups import GroupGap


@grouped
def groups(
    *,
    photographs: Annotated[Path, typer.Argument(metavar="PHOTOS", help="The folder that the images are in.")],
    table: Annotated[
        Path,
        typer.Option(
            "--groups",
            metavar="FILE",
            help="CSV with image (its path in PHOTOS), group, and perhaps class; else its first folder is its class.",
        ),
    ],
    audited: AuditedRun,
    output: AuditOutput,
) -> None:
    """Compare groups of photographs: accuracy by group and class, and which concepts carry the gap (Sec. 6.3).

    Two groups are compared with each other; of more, each with the rest.

    Example: neuronexplain audit groups photographs --groups groups.csv --db names.db --out groups
    """
    from neuronexplain.audit.groups.group_file import open_groups
    from neuronexplain.audit.groups.groups import compare_groups
    from neuronexplain.audit.groups.page import groups_page
    from neuronexplain.audit.groups.values import GROUP_COLUMNS, group_rows, groups_values
    from neuronexplain.audit.page import AUDIT_PAGE, AuditNote, write_audit
    from neuronexplain.audit.photograph_pass import PhotographPass
    from neuronexplain.audit.values import csv_bytes, json_bytes
    from neuronexplain.listings import run_facts

    output.check()
    explainer, run = audited.open(DEFAULT_RULES)
    sorted_images = open_groups(photographs, table, explainer.network.classes)
    with output.execution() as execution:
        work = PhotographPass(explainer.network, run, sorted_images.images, execution, output.out, output.fresh)
        gaps = compare_groups(work, sorted_images.groups, explainer.units).gaps()
    note = ""
    if sorted_images.ungrouped:
        verb = "is" if sorted_images.ungrouped == 1 else "are"
        note = f"{count(sorted_images.ungrouped, 'photograph')} in the folder {verb} in no group, and left out."
    if output.out:
        title = f"{run.network}: {enumerate_words(sorted_images.names)} compared"
        facts = {"Photographs": photographs.name, **run_facts(run, named=len(explainer.names))}
        page = groups_page(gaps, title=title, facts=facts, notes=[note] if note else [], noun=run.layer.noun)
        files = {
            "groups.json": json_bytes(groups_values(gaps)),
            "groups.csv": csv_bytes(group_rows(gaps), GROUP_COLUMNS),
        }
        write_audit(output.out, AuditNote.of("groups", title, run), page, files)
    if output.json:
        console.write_json(groups_values(gaps))
    elif output.csv:
        console.write_rows(group_rows(gaps), dict.fromkeys(GROUP_COLUMNS, ""), as_json=False, as_csv=True)
    else:
        _say_gaps(gaps)
        if note:
            console.say(note)
        if output.out:
            console.say(f"Page: {output.out / AUDIT_PAGE}")


def _say_gaps(gaps: Sequence[GroupGap]) -> None:
    from neuronexplain.audit.groups.page import say_accuracies, say_carriers, say_largest

    if largest := say_largest(gaps):
        console.say(largest)
        console.say()
    for gap in gaps:
        console.say(f"{gap.label or 'All classes'}: {gap.group} and {gap.other}")
        console.say_item(f"  {say_accuracies(gap)}", hanging=2)
        if gap.label:
            console.say_item(f"  {say_carriers(gap)}", hanging=2)
        console.say()
