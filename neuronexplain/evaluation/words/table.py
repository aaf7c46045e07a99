"""The table that says how true sentences are."""

from __future__ import annotations

from typing import TYPE_CHECKING

from neuronexplain.counts import count
from neuronexplain.evaluation.ground_truth.labelled_concepts import concept_key
from neuronexplain.evaluation.tables import Report

from .cause_rows import cause_rows, shuffled_rows
from .reader_rows import reader_row
from .records import row
from .truth_rows import truth_rows

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from dissection.vocabulary import Meaning, Unit, UnitName, UnitNoun
    from neuronexplain.evaluation.tables import TableRow

    from .halves import Agreement
    from .records import SentenceRecord

_COLUMNS = {"measure": "measure", "value": "measured", "beside": "beside it", "meaning": "which is", "over": "over"}


def words_report(  # noqa: PLR0913 -- what a table of everything depends on
    records: Sequence[SentenceRecord],
    *,
    names: Mapping[int, UnitName],
    meanings: Mapping[int, Meaning],
    units: Sequence[Unit],
    max_q: float,
    by_scene: bool,
    known_by: str = "the class that the network predicts for them",
    agreement: Agreement | None = None,
    seed: int = 0,
    noun: UnitNoun = "neuron",
) -> Report:
    """Everything about the sentences, in one table.

    Args:
        records: the images, with their sentences or without.
        names: names by unit.
        meanings: what sentences say that units stand for, by unit.
        units: all units in order, with the evidence for their names.
        max_q: the greatest rate of false names at which a name is proven.
        by_scene: whether the reader knows images by their scenes, which are classes, and not by what sentences explain.
        known_by: what sentences explain.
        agreement: of the names that two halves of the dataset give.
        seed: of the names that are dealt at random.
        noun: what readers call a unit.
    """
    images, records = records, [record for record in records if record.predicted is not None]
    keys = {unit: concept_key(meaning) for unit, meaning in meanings.items()}
    rows = [
        *truth_rows(records, noun),
        *cause_rows(records),
        reader_row(records, keys, by_scene=by_scene, seed=seed),
        _by_chance(names, units, max_q),
        *_halves(agreement),
        *shuffled_rows(records),
    ]
    known_by = "their scene" if by_scene else known_by
    notes = [
        f"the reader knows the other images by {known_by}, and which concepts they show",
        "a mention is judged if the data has its concept and the image is labelled in the concept's category",
    ]
    if len(images) > len(records):
        silent = f"{len(images) - len(records)} of {count(len(images), 'image')}"
        notes.append(f"{silent} are without a sentence, since no word of the caption is explained")
    if unjudged := sum(mention.is_there is None for record in records for mention in record.mentions):
        notes.append(f"{count(unjudged, 'mention')} could not be judged")
    return Report(
        f"How true the sentences about {count(len(records), 'image')} are", _COLUMNS, tuple(rows), (*notes,), "row"
    )


def _by_chance(names: Mapping[int, UnitName], units: Sequence[Unit], max_q: float) -> TableRow:
    """How many of the names are as likely by chance; of all names, proven or not."""
    falls = [evidence.q > max_q for unit in names if (evidence := units[unit].evidence) is not None]
    share = 100 * sum(falls) / len(falls) if falls else float("nan")
    return row("by-chance", f"names with a q over {max_q:g}, %", share, over=count(len(falls), "name"))


def _halves(agreement: Agreement | None) -> Iterator[TableRow]:
    if agreement is not None:
        same, chance = (100 * number / max(agreement.units, 1) for number in (agreement.same, agreement.chance))
        over = count(agreement.units, "unit")
        yield row("halves", "names that are the same in both halves, %", same, chance, meaning="names dealt", over=over)
