"""The tables. A run is the root of all rows; every other key begins with the run, so a run's rows are stored together.

The tables of schema 2 are as they were; what runs keep since later schemas is in tables of its own, see `SINCE`.

SQLite's tables are STRICT: a value of the wrong type is refused, not kept as something else. All whole numbers have
64 bits and all real numbers are IEEE doubles, so values are read bit for bit as they were written (except
that SQLite returns a negative zero as zero).
"""

from __future__ import annotations

from typing import Final

from sqlalchemy import (
    REAL,
    BigInteger,
    Column,
    ColumnElement,
    Double,
    ForeignKey,
    ForeignKeyConstraint,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    Text,
    literal_column,
)

metadata = MetaData()

_WHOLE = BigInteger().with_variant(Integer(), "sqlite")
_REAL: Double[float] = Double().with_variant(REAL(), "sqlite")
_WORD = String(64).with_variant(Text(), "sqlite")  # some databases only index text of a known length

NUMBERS: Final = "<f8"
"""NumPy's type of the numbers in stored arrays: IEEE doubles, least significant byte first."""

WHOLE_NUMBERS: Final = "<i8"
"""NumPy's type of the whole numbers in stored arrays: integers of 64 bits, least significant byte first."""

HALVES: Final = ("searched", "held_out")
"""The halves of the images: the fields of a `Composition`, and beginnings of columns."""

AREAS: Final = ("intersection", "unit_area", "formula_area")
"""The fields of `FormulaAreas`, and ends of those columns."""

BEST: ColumnElement[int] = literal_column("0")
"""Rank of a unit's best overlap; a literal, because SQLite uses a partial index only for a constant that it can see."""


def _required(name: str, kind: type[Text | LargeBinary] | BigInteger | Double[float] | String) -> Column[object]:
    return Column(name, kind, nullable=False)


def _key(name: str) -> Column[int]:
    return Column(name, _WHOLE, primary_key=True, autoincrement=False)


def _run() -> Column[int]:
    return Column("run", _WHOLE, ForeignKey("runs.id"), primary_key=True, autoincrement=False)


meta = Table(
    "meta",
    metadata,
    Column("name", _WORD, primary_key=True),
    _required("value", Text),
    sqlite_strict=True,
    sqlite_with_rowid=False,
)

runs = Table(
    "runs",
    metadata,
    # A deleted run's number is never used again: a value that still holds it must not read another run's names.
    Column("id", _WHOLE, primary_key=True, autoincrement=True),
    Column("digest", _WORD, nullable=False, unique=True),
    _required("created", Text),
    _required("key_network", Text),
    _required("key_layer", Text),
    _required("key_concepts", Text),
    _required("key_preprocessing", Text),
    _required("key_precision", Text),
    _required("key_quantile", _REAL),
    _required("key_min_images", _WHOLE),
    _required("key_upsampling", Text),
    _required("key_evidence", Text),
    _required("key_schema", _WHOLE),
    _required("layer_name", Text),
    _required("layer_units", _WHOLE),
    _required("layer_height", _WHOLE),
    _required("layer_width", _WHOLE),
    _required("layer_rectifier", Text),
    _required("network", Text),
    _required("source", Text),
    _required("concepts", Text),
    _required("images", _WHOLE),
    _required("pixels", _WHOLE),
    _required("constant_alphas", _WHOLE),
    _required("evidence", Text),
    sqlite_strict=True,
    sqlite_autoincrement=True,
)

concepts = Table(
    "concepts",
    metadata,
    _run(),
    _key("number"),
    _required("name", Text),
    _required("category", Text),
    _required("spoken", Text),
    _required("images", _WHOLE),
    _required("pixels", _WHOLE),
    sqlite_strict=True,
    sqlite_with_rowid=False,
)

# Of runs since schema 5: the fingerprint of what the layer's map is computed from.
bodies = Table(
    "bodies",
    metadata,
    _run(),
    _required("fingerprint", _WORD),
    sqlite_strict=True,
    sqlite_with_rowid=False,
)

units = Table(
    "units",
    metadata,
    _run(),
    _key("number"),
    _required("threshold", _REAL),
    sqlite_strict=True,
    sqlite_with_rowid=False,
)

overlaps = Table(
    "overlaps",
    metadata,
    _run(),
    _key("unit"),
    _key("rank"),
    _required("concept", _WHOLE),
    _required("intersection", _WHOLE),
    _required("unit_area", _WHOLE),
    _required("concept_area", _WHOLE),
    _required("images", _WHOLE),
    _required("iou", _REAL),
    ForeignKeyConstraint(["run", "unit"], ["units.run", "units.number"]),
    ForeignKeyConstraint(["run", "concept"], ["concepts.run", "concepts.number"]),
    sqlite_strict=True,
    sqlite_with_rowid=False,
)

# Every name is read from the first; the second lets a run be deleted without a scan for each of its concepts.
_best = overlaps.c.rank == BEST
Index(
    "best_overlaps",
    *(overlaps.c[name] for name in ("run", "unit", "concept", "iou", "images")),
    sqlite_where=_best,
    postgresql_where=_best,
)
Index("overlaps_of_concepts", overlaps.c.run, overlaps.c.concept)

exemplars = Table(
    "exemplars",
    metadata,
    _run(),
    _key("unit"),
    _key("rank"),
    _required("image", Text),
    _required("number", _WHOLE),
    _required("activation", _REAL),
    _required("row", _WHOLE),
    _required("column", _WHOLE),
    ForeignKeyConstraint(["run", "unit"], ["units.run", "units.number"]),
    sqlite_strict=True,
    sqlite_with_rowid=False,
)

# What the exemplars of a unit show: an array of `WHOLE_NUMBERS`, pairs of an exemplar's rank and a concept's number, in
# order. A unit whose exemplars show nothing has no row.
exemplar_concepts = Table(
    "exemplar_concepts",
    metadata,
    _key("run"),
    _key("unit"),
    _required("concepts", LargeBinary),
    ForeignKeyConstraint(["run", "unit"], ["units.run", "units.number"]),
    sqlite_strict=True,
)

# Of exemplars' images, by the exemplars' `number`. There is no foreign key: many units may share an image.
pictures = Table(
    "pictures",
    metadata,
    _run(),
    _key("number"),
    _required("jpeg", LargeBinary),
    sqlite_strict=True,
)

classes = Table(
    "classes",
    metadata,
    _run(),
    _key("number"),
    _required("label", Text),
    Column("images", _WHOLE),  # null if no importances were gathered
    sqlite_strict=True,
    sqlite_with_rowid=False,
)

# Each array holds a number for every unit, as `NUMBERS`. The rows are long: SQLite stores them better by rowid.
importances = Table(
    "importances",
    metadata,
    _run(),
    _key("class"),
    _required("alphas", LargeBinary),
    _required("contributions", LargeBinary),
    ForeignKeyConstraint(["run", "class"], ["classes.run", "classes.number"]),
    sqlite_strict=True,
)

# How often the concept of an overlap is there when the unit responds.
truths = Table(
    "truths",
    metadata,
    _key("run"),
    _key("unit"),
    _key("rank"),
    _required("lit_images", _WHOLE),
    _required("hit_images", _WHOLE),
    _required("dark_images", _WHOLE),
    _required("missed_images", _WHOLE),
    ForeignKeyConstraint(["run", "unit", "rank"], ["overlaps.run", "overlaps.unit", "overlaps.rank"]),
    sqlite_strict=True,
    sqlite_with_rowid=False,
)

# The lit map is an array of `NUMBERS`, row by row; it may be empty.
evidence = Table(
    "evidence",
    metadata,
    _key("run"),
    _key("unit"),
    *(_required(name, _REAL) for name in ("p", "q", "kept", "iou_low", "iou_high", "margin_low", "margin_high")),
    _required("lit_map", LargeBinary),
    ForeignKeyConstraint(["run", "unit"], ["units.run", "units.number"]),
    sqlite_strict=True,
)

runners_up = Table(
    "runners_up",
    metadata,
    _key("run"),
    _key("unit"),
    _key("rank"),
    _required("concept", _WHOLE),
    ForeignKeyConstraint(["run", "unit"], ["evidence.run", "evidence.unit"]),
    ForeignKeyConstraint(["run", "concept"], ["concepts.run", "concepts.number"]),
    sqlite_strict=True,
    sqlite_with_rowid=False,
)

quarters = Table(
    "quarters",
    metadata,
    _key("run"),
    _key("unit"),
    _key("quarter"),
    _required("least", _REAL),
    _required("images", _WHOLE),
    _required("hits", _WHOLE),
    ForeignKeyConstraint(["run", "unit"], ["evidence.run", "evidence.unit"]),
    sqlite_strict=True,
    sqlite_with_rowid=False,
)

# Of runs in which formulas of several concepts were searched for: how many concepts the longest may have.
formula_lengths = Table(
    "formula_lengths",
    metadata,
    _run(),
    _required("key_length", _WHOLE),
    sqlite_strict=True,
    sqlite_with_rowid=False,
)

# The formula of each length that describes a unit best on half of the images: I, A and G there and on the other half.
compositions = Table(
    "compositions",
    metadata,
    _key("run"),
    _key("unit"),
    _key("length"),
    *(_required(f"{half}_{area}", _WHOLE) for half in HALVES for area in AREAS),
    *(_required(name, _REAL) for name in ("gain_low", "gain_high", "p", "q")),
    *(_required(f"{name}_images", _WHOLE) for name in ("lit", "hit", "dark", "missed")),
    ForeignKeyConstraint(["run", "unit"], ["units.run", "units.number"]),
    sqlite_strict=True,
    sqlite_with_rowid=False,
)

# The concepts of a formula in order, each with the operator that joins it to those before it; the first has none.
formula_terms = Table(
    "formula_terms",
    metadata,
    _key("run"),
    _key("unit"),
    _key("length"),
    _key("place"),
    _required("operator", Text),
    _required("concept", _WHOLE),
    ForeignKeyConstraint(["run", "unit", "length"], ["compositions.run", "compositions.unit", "compositions.length"]),
    ForeignKeyConstraint(["run", "concept"], ["concepts.run", "concepts.number"]),
    sqlite_strict=True,
    sqlite_with_rowid=False,
)

# Of formulas that gain anything: as for evidence, the lit images by strength, and the lit map.
formula_quarters = Table(
    "formula_quarters",
    metadata,
    _key("run"),
    _key("unit"),
    _key("length"),
    _key("quarter"),
    _required("least", _REAL),
    _required("images", _WHOLE),
    _required("hits", _WHOLE),
    ForeignKeyConstraint(["run", "unit", "length"], ["compositions.run", "compositions.unit", "compositions.length"]),
    sqlite_strict=True,
    sqlite_with_rowid=False,
)

formula_maps = Table(
    "formula_maps",
    metadata,
    _key("run"),
    _key("unit"),
    _key("length"),
    _required("lit_map", LargeBinary),
    ForeignKeyConstraint(["run", "unit", "length"], ["compositions.run", "compositions.unit", "compositions.length"]),
    sqlite_strict=True,
)

# The greatest IoU of the control's units with the concept of a unit's best overlap.
controls = Table(
    "controls",
    metadata,
    _key("run"),
    _key("unit"),
    _required("iou", _REAL),
    ForeignKeyConstraint(["run", "unit"], ["evidence.run", "evidence.unit"]),
    sqlite_strict=True,
    sqlite_with_rowid=False,
)

# Arrays like those of the importances, for the classes for which they were gathered.
class_statistics = Table(
    "class_statistics",
    metadata,
    _key("run"),
    _key("class"),
    *(_required(name, LargeBinary) for name in ("alpha_squares", "contribution_squares", "lits", "lit_squares")),
    ForeignKeyConstraint(["run", "class"], ["importances.run", "importances.class"]),
    sqlite_strict=True,
)

# Of every run since schema 3; see `db.checksums`.
provenance = Table(
    "provenance",
    metadata,
    _run(),
    _required("licence", Text),
    _required("draws", _WHOLE),
    Column("control", _WHOLE),  # null if there is no control
    _required("dissection_checksum", _WORD),
    _required("checksum", _WORD),
    sqlite_strict=True,
    sqlite_with_rowid=False,
)

UNITS: Final = {
    units: "number",
    overlaps: "unit",
    truths: "unit",
    exemplars: "unit",
    exemplar_concepts: "unit",
    evidence: "unit",
    runners_up: "unit",
    quarters: "unit",
    controls: "unit",
    compositions: "unit",
    formula_terms: "unit",
    formula_quarters: "unit",
    formula_maps: "unit",
}
"""The tables with rows of units, and their columns of the unit's number."""

DISSECTION: Final = (concepts, *UNITS, bodies, formula_lengths)
"""The tables of a run's dissection, each after those it refers to."""

BESIDES: Final = (classes, importances, class_statistics, pictures)
"""The tables of everything else that belongs to a run."""

SINCE: Final = {
    **dict.fromkeys((truths, evidence, runners_up, quarters, controls, class_statistics, provenance), 3),
    exemplar_concepts: 4,
    **dict.fromkeys((bodies, formula_lengths, compositions, formula_terms), 5),
    **dict.fromkeys((formula_quarters, formula_maps), 6),
}
"""The tables that the oldest schema lacks, and the schema that each came with."""


def is_in(table: Table, version: int) -> bool:
    """Whether a schema has a table."""
    return SINCE.get(table, version) <= version
