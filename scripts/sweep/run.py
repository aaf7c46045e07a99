"""Opens one small network of every family of timm and of vit-pytorch, with random weights, and judges its map.

    python scripts/sweep/run.py --out sweep.jsonl --table docs/reference/families.md

See ``judge.py`` for the verdicts *right*, *wrong* and *cannot tell*. A network is *refused* if opening it ends in one
line; any other error is *wrong*. The same command resumes, and the table says how far it has
come. It is written between the two marks in the page.
"""

from __future__ import annotations

import argparse
import json
import sys
import warnings
from pathlib import Path
from typing import TYPE_CHECKING

import torch
from families import LeftOutError, families
from judge import judged

from dissection.errors import NeuronExplainError
from dissection.networks.network import Network

if TYPE_CHECKING:
    from families import Family

OUTCOMES = ("right", "refused", "wrong", "cannot tell", "not made", "left out")
START, END = "<!-- sweep -->", "<!-- end of sweep -->"

Row = dict[str, str]


def main() -> int:
    """Sweep what is not in the file of results yet, and write the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, default=Path("sweep.jsonl"), help="file of results, one line per family")
    parser.add_argument("--table", type=Path, help="Markdown page for the table")
    parser.add_argument("--only", default="", help="part of the names of the families to sweep")
    options = parser.parse_args()
    warnings.simplefilter("ignore")
    rows = _results(options.out)
    swept = [family for family in families() if options.only in family.title]
    for family in swept:
        if family.title not in rows:
            rows[family.title] = _swept(family)
            with options.out.open("a", encoding="utf-8") as file:
                file.write(json.dumps(rows[family.title]) + "\n")
            print(" | ".join(rows[family.title].values()), flush=True)
        if options.table:
            _write(options.table, _table(rows, len(swept)))
    return int(any(row["outcome"] == "wrong" for row in rows.values()))


def _results(path: Path) -> dict[str, Row]:
    lines = path.read_text(encoding="utf-8").splitlines() if path.exists() else []
    return {row["family"]: row for row in map(json.loads, lines)}


def _swept(family: Family) -> Row:
    torch.manual_seed(0)
    try:
        name, module, preprocessing = family.make()
    except LeftOutError as error:
        return _row(family, "", "left out", _line(error))
    except Exception as error:  # noqa: BLE001 -- somebody else's constructors may raise anything
        return _row(family, "", "not made", _line(error))
    try:
        network = Network.from_module(module.eval(), preprocessing=preprocessing, name=name)
        judgement = judged(network)
    except NeuronExplainError as error:
        return _row(family, name, "refused", _line(error))
    except Exception as error:  # noqa: BLE001 -- a traceback is what must not be
        return _row(family, name, "wrong", f"{type(error).__name__}: {_line(error)}")
    layer = network.layer
    size = f"`{layer.name}`: {layer.units} of {layer.height} x {layer.width}"
    return _row(family, name, judgement.verdict, f"{size}; {judgement}")


def _row(family: Family, network: str, outcome: str, reason: str) -> Row:
    return {"family": family.title, "network": network, "outcome": outcome, "reason": reason}


def _line(error: Exception) -> str:
    return " ".join(str(error).split())[:240] or type(error).__name__


def _table(rows: dict[str, Row], families: int) -> str:
    outcomes = [row["outcome"] for row in rows.values()]
    counts = ", ".join(f"{outcomes.count(outcome)} {outcome}" for outcome in OUTCOMES)
    lines = [
        f"| {row['family']} | {row['network']} | {row['outcome']} | {row['reason'].replace('|', '/')} |"
        for row in sorted(rows.values(), key=lambda row: row["family"])
    ]
    header = ["| family | network | outcome | map, and why |", "|---|---|---|---|"]
    return "\n".join([f"{len(rows)} of {families} families: {counts}.", "", *header, *lines])


def _write(page: Path, table: str) -> None:
    """Put the table between the marks of a page, or into a new page."""
    text = page.read_text(encoding="utf-8") if page.exists() else f"{START}\n{END}\n"
    before, after = text.split(START)[0], text.split(END)[1]
    page.write_text(f"{before}{START}\n\n{table}\n\n{END}{after}", encoding="utf-8")


if __name__ == "__main__":
    sys.exit(main())
