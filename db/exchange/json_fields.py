"""Runs as JSON that other people, and programs in any language, can read: the format.

A file is one object: ``format`` (`FORMAT`), ``version`` (`VERSION`), ``licence`` (a note for people, or null) and
``runs``, whose parts the classes below list. It is UTF-8, one row per line. Numbers are written so that they read back
bit for bit; thresholds and activations may be the text ``Infinity`` or ``-Infinity``. ``iou`` is for readers; its value
is checked. Unknown, missing and repeated fields are refused.

Version 2 added fields that may be missing: ``draws`` (0), a run's ``licence`` (none), ``truth``, ``evidence`` and the
statistics of classes (not gathered). Version 3 added a run's ``checksum``, which may be missing too; version 4 added
``concepts`` of exemplars (not looked up), and version 5 a run's ``body`` (not known),
a key's ``length`` (1) and ``compositions`` of units (not searched for). Version 6 added their ``quarters`` and
``lit_map`` (not gathered).
"""

from __future__ import annotations

import json
from datetime import datetime  # noqa: TC003 -- msgspec reads the annotations
from math import isfinite
from typing import Annotated, Any, Final, Literal

import msgspec

from db.errors import StoreError

FORMAT: Final = "neuronexplain names"
VERSION: Final = 6
VERSIONS: Final = (1, 2, 3, 4, 5, VERSION)
"""The versions that are read."""

Count = Annotated[int, msgspec.Meta(ge=0, le=2**63 - 1)]
Text = Annotated[str, msgspec.Meta(pattern=r"\A[^\x00\ud800-\udfff]*\Z")]
"""Text that every database can keep: without null characters and lone surrogates."""
Sha256 = Annotated[str, msgspec.Meta(pattern=r"\A[0-9a-f]{64}\Z")]
Real = float | Literal["Infinity", "-Infinity"]


class Form(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A JSON object with exactly these fields."""


class KeyForm(Form, frozen=True):
    """See :class:`RunKey`."""

    network: Text
    layer: Text
    concepts: Text
    preprocessing: Text
    precision: Text
    quantile: Real
    min_images: Count
    upsampling: Text
    evidence: Text
    schema: Count
    draws: Count = 0
    control: bool = False
    length: Count = 1


class LayerForm(Form, frozen=True):
    """See :class:`dissection.vocabulary.Layer`."""

    name: Text
    units: Count
    height: Count
    width: Count
    rectifier: Text


class SupportForm(Form, frozen=True):
    """A concept of the dataset, and the images and pixels that show it."""

    number: Count
    name: Text
    category: Text
    images: Count
    pixels: Count


class TruthForm(Form, frozen=True):
    """Of the images labelled in a concept's category, those on which a unit is lit or not, and those that carry it."""

    lit_images: Count
    hit_images: Count
    dark_images: Count
    missed_images: Count


class OverlapForm(Form, frozen=True):
    """A concept, by number, and its overlap with a unit's mask in pixels: ``iou`` is I / (A + G - I)."""

    concept: Count
    iou: float
    intersection: Count
    unit_area: Count
    concept_area: Count
    images: Count
    truth: TruthForm | None = None


class ExemplarForm(Form, frozen=True):
    """An image that excites a unit, the cell of the layer's map where it does, and the concepts there, by number."""

    image: Text
    index: Count
    activation: Real
    row: Count
    column: Count
    concepts: tuple[Count, ...] = ()


class QuarterForm(Form, frozen=True):
    """A quarter of a unit's lit images by strength: the weakest peak, the images, and those that carry the concept."""

    least: float
    images: Count
    hits: Count


class EvidenceForm(Form, frozen=True):
    """See :class:`dissection.vocabulary.Evidence`; runners-up are numbers of concepts."""

    p: float
    q: float
    kept: float
    iou: tuple[float, float]
    margin: tuple[float, float]
    runners_up: tuple[Count, ...]
    quarters: tuple[QuarterForm, ...]
    lit_map: tuple[float, ...]
    control: float | None = None


class AreasForm(Form, frozen=True):
    """How a formula overlaps a unit's mask on half of the images, in pixels: ``iou`` is I / (A + G - I)."""

    iou: float
    intersection: Count
    unit_area: Count
    formula_area: Count


class StepForm(Form, frozen=True):
    """A concept, by number, and what joins it to all that stands before it."""

    operator: Literal["or", "and", "and not"]
    concept: Count


class CompositionForm(Form, frozen=True):
    """See :class:`dissection.vocabulary.Composition`; a formula is a concept, by number, and what is joined to it."""

    first: Count
    steps: tuple[StepForm, ...]
    searched: AreasForm
    held_out: AreasForm
    gain: tuple[float, float]
    p: float
    q: float
    truth: TruthForm
    quarters: tuple[QuarterForm, ...] = ()
    lit_map: tuple[float, ...] = ()


class UnitForm(Form, frozen=True):
    """A unit, from 0; its overlaps, best first (ties: lower number first)."""

    unit: Count
    threshold: Real
    overlaps: tuple[OverlapForm, ...]
    exemplars: tuple[ExemplarForm, ...]
    evidence: EvidenceForm | None = None
    compositions: tuple[CompositionForm, ...] = ()


class ImportanceForm(Form, frozen=True):
    """The importance of each unit for a class, by number: means over its images, see :class:`ClassImportance`."""

    class_: Count = msgspec.field(name="class")
    images: Count
    alphas: tuple[float, ...]
    contributions: tuple[float, ...]
    alpha_squares: tuple[float, ...] | None = None
    contribution_squares: tuple[float, ...] | None = None
    lits: tuple[float, ...] | None = None
    lit_squares: tuple[float, ...] | None = None


class PictureForm(Form, frozen=True):
    """An exemplar's image, by its index; its JPEG is stored beside the file."""

    index: Count
    sha256: Sha256


class RunForm(Form, frozen=True):
    """A run; ``digest`` is the sha256 of its key (see :attr:`RunKey.digest`), ``licence`` the concept dataset's.

    ``body`` is the fingerprint of what the layer's map is computed from, which is all that names depend on.

    ``checksum`` is that of the run as a database would keep it, see :mod:`db.checksums`, with the pictures listed here.
    """

    digest: Sha256
    created: Annotated[datetime, msgspec.Meta(tz=True)]
    network: Text
    source: dict[str, Any]
    dataset: Text
    images: Count
    pixels: Count
    constant_alphas: bool
    evidence: Text
    key: KeyForm
    layer: LayerForm
    classes: tuple[Text, ...]
    concepts: tuple[SupportForm, ...]
    units: tuple[UnitForm, ...]
    importances: tuple[ImportanceForm, ...]
    pictures: tuple[PictureForm, ...]
    licence: Text = ""
    control: Count | None = None
    body: Annotated[str, msgspec.Meta(pattern=r"\A([0-9a-f]{64})?\Z")] = ""
    checksum: Sha256 | None = None


class Document(Form, frozen=True):
    """A whole file."""

    format: Literal["neuronexplain names"]
    version: Literal[1, 2, 3, 4, 5, 6]
    licence: Text | None
    runs: tuple[RunForm, ...]


def document(content: bytes, where: str) -> Document:
    """A file's content in the right types; `run_of` checks that the values agree.

    Raises:
        StoreError: if it is anything else, or of another version.
    """
    try:
        raw = json.loads(
            content.decode(), object_pairs_hook=_once, parse_constant=_refuse_constant, parse_float=_finite_number
        )
        _require_format(raw)
        return msgspec.convert(raw, Document)
    except RecursionError:
        raise StoreError(
            f"{where} is nested too deeply to be a file of names: give one that `neuronexplain export` wrote"
        ) from None
    except (ValueError, OverflowError) as error:  # of JSON, of UTF-8 and of msgspec
        raise StoreError(
            f"{where} is not a readable file of names ({_line(error)}): export it again where it was made"
        ) from error


def _once(pairs: list[tuple[str, object]]) -> dict[str, object]:
    fields = dict(pairs)
    if len(fields) < len(pairs):
        names = [name for name, _ in pairs]
        raise ValueError(f"the field {next(name for name in names if names.count(name) > 1)!r} appears twice")
    return fields


def _refuse_constant(text: str) -> object:
    raise ValueError(f"{text} is not a JSON number")


def _finite_number(text: str) -> float:
    number = float(text)
    if not isfinite(number):
        raise ValueError(f"the number {text[:20]} is too large")
    return number


def _require_format(raw: object) -> None:
    if not isinstance(raw, dict) or raw.get("format") != FORMAT:
        raise ValueError(f"its format is not {FORMAT!r}, which `neuronexplain export` writes")
    if raw.get("version") not in VERSIONS or raw["version"] is True:
        raise ValueError(f"it has version {raw.get('version')!r}, this NeuronExplain reads 1 to {VERSION}: update it")


def _line(error: Exception) -> str:
    return " ".join(str(error).split())[:300]
