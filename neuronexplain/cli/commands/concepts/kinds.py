"""``neuronexplain concepts kinds``: the published layouts that can be converted."""

from __future__ import annotations

from neuronexplain.cli import console, options


def kinds(json: options.Json = False, csv: options.Csv = False) -> None:
    """List the layouts that concepts convert --from reads.

    Example: neuronexplain concepts kinds
    """
    from dissection.concepts.formats import FORMATS

    rows: list[console.Row] = [{"kind": layout.name, "reads": layout.description} for layout in FORMATS.values()]
    console.write_rows(rows, {"kind": "--from", "reads": "reads"}, as_json=json, as_csv=csv)
