"""Opens one small network of every family of timm and of vit-pytorch, with random weights, and looks at its map.

    python scripts/sweep_networks.py --out sweep.jsonl --table docs/reference/families.md

A network is *right* if its map lies in the image as it is read: patches of a noise image are changed one by one, and
the cells that move most lie where the patch was. It is *refused* if opening it ends in one line, and *wrong* otherwise.
That is judged here from the maps alone, by other images and another measure than those by which a network is opened.
The same command resumes.
"""

from __future__ import annotations

import argparse
import importlib
import inspect
import json
import pkgutil
import re
import sys
import warnings
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F

from dissection.errors import NeuronExplainError
from dissection.networks.forward import forward
from dissection.networks.network import Network
from dissection.networks.preprocessing import Preprocessing

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

SMALL = (
    "test",
    "atto",
    "femto",
    "pico",
    "nano",
    "micro",
    "xxs",
    "xxt",
    "tiny",
    "_n",
    "_t",
    "xs",
    "mini",
    "small",
    "_s",
    "lite",
)
TRIED = 6
PATCHES = 16
BATCH = 8
LARGE = 4.0
LARGEST = 30_000_000
"""Weights of the largest network that is made."""

SEVENTHS = 7
SETTINGS: dict[str, Any] = {
    "image_size": 64, "img_size": 64, "patch_size": 8, "num_classes": 10, "dim": 64, "depth": 2, "heads": 2,
    "mlp_dim": 128, "dim_head": 32, "embedding_dim": 64, "num_layers": 2, "num_heads": 2, "cls_depth": 1,
    "max_tokens_per_depth": (64, 32), "stages": 2, "mlp_mult": 2, "window_size": 4, "num_register_tokens": 4,
    "num_registers": 4, "channels": 3, "num_jumbo_cls": 1, "jumbo_cls_k": 2, "jumbo_ff_mult": 2,
}  # fmt: skip
"""Arguments of vit-pytorch's classes, by their names."""


def main() -> int:
    """Sweep what is not in the file of results yet, and write the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, default=Path("sweep.jsonl"), help="file of results, one line per network")
    parser.add_argument("--table", type=Path, help="file for the table, in Markdown")
    parser.add_argument("--only", default="", help="part of the names of the families to sweep")
    options = parser.parse_args()
    warnings.simplefilter("ignore")
    done = _results(options.out)
    for family, make in (*_timm_families(), *_vit_pytorch_families()):
        if family in done or options.only not in family:
            continue
        done[family] = {"family": family, **_swept(make)}
        with options.out.open("a", encoding="utf-8") as file:
            file.write(json.dumps(done[family]) + "\n")
        print(" | ".join(map(str, done[family].values())), flush=True)
    rows = sorted(done.values(), key=lambda row: row["family"])
    if options.table:
        options.table.write_text(_table(rows), encoding="utf-8")
    return int(any(row["outcome"] == "wrong" for row in rows))


def _results(path: Path) -> dict[str, dict[str, Any]]:
    lines = path.read_text(encoding="utf-8").splitlines() if path.exists() else []
    return {row["family"]: row for row in map(json.loads, lines)}


def _swept(make: Callable[[], tuple[str, nn.Module, Preprocessing]]) -> dict[str, Any]:
    torch.manual_seed(0)
    try:
        name, module, preprocessing = make()
    except Exception as error:  # noqa: BLE001 -- somebody else's constructors may raise anything
        return {"network": "", "outcome": "not made", "map": "", "reason": _line(error)}
    try:
        network = Network.from_module(module.eval(), preprocessing=preprocessing, name=name)
        layer = network.layer
        is_right, reason = _judged(network)
    except NeuronExplainError as error:
        return {"network": name, "outcome": "refused", "map": "", "reason": _line(error)}
    except Exception as error:  # noqa: BLE001 -- a traceback is what must not be
        return {"network": name, "outcome": "wrong", "map": "", "reason": f"{type(error).__name__}: {_line(error)}"}
    size = f"`{layer.name}`: {layer.units} of {layer.height} x {layer.width}"
    return {"network": name, "outcome": "right" if is_right else "wrong", "map": size, "reason": reason}


def _judged(network: Network) -> tuple[bool, str]:
    """Whether cells move where the image is changed, and the figures."""
    places, peaks = _moved(network)
    along = [float(np.corrcoef(places[:, axis], peaks[:, axis])[0, 1]) for axis in (0, 1) if places[:, axis].std()]
    shift = np.abs((peaks - places).mean(0)).max()
    near = float((np.abs(peaks - places).max(1) <= 1).mean())
    is_right = min(along) >= 0.8 and shift <= 0.75
    return is_right, f"correlation {min(along):.2f}, shift {shift:.2f} cells, within a cell {near:.0%}"


@torch.no_grad()
def _moved(network: Network) -> tuple[np.ndarray, np.ndarray]:
    """The changed cells, and where the map moved most above its usual movement, as rows and columns.

    What is changed around a cell is a seventh of the image's side at least: a single cell of a fine map is lost among
    the overlapping fields of its neighbours.
    """
    layer, (height, width) = network.layer, network.preprocessing.size
    generator = torch.Generator().manual_seed(11)
    base = torch.randn(1, network.preprocessing.channels, height, width, generator=generator)
    cells = torch.randperm(layer.height * layer.width, generator=generator)[:PATCHES].sort().values.tolist()
    before = forward(network, base).activation.detach().double()
    reach = max(1, round(layer.height / SEVENTHS / 2 + 0.5)), max(1, round(layer.width / SEVENTHS / 2 + 0.5))
    moves = []
    for start in range(0, len(cells), BATCH):
        images = base.repeat(len(cells[start : start + BATCH]), 1, 1, 1)
        for image, cell in zip(images, cells[start : start + BATCH], strict=True):
            row, column = divmod(cell, layer.width)
            rows = _around(row, reach[0], layer.height, height)
            columns = _around(column, reach[1], layer.width, width)
            patch = image[:, rows, columns]
            patch += LARGE * torch.randn(patch.shape, generator=generator)
        moves.append((forward(network, images).activation.detach().double() - before).norm(dim=1))
    moved = torch.cat(moves)
    moved = moved / moved.mean(0).clamp(min=1e-300)
    window = 2 * reach[0] - 1, 2 * reach[1] - 1
    padding = reach[0] - 1, reach[1] - 1
    smooth = F.avg_pool2d(moved[:, None], window, 1, padding, count_include_pad=False)
    peaks = smooth.flatten(1).argmax(1).tolist()
    return np.array([divmod(cell, layer.width) for cell in cells]), np.array([divmod(p, layer.width) for p in peaks])


def _around(cell: int, reach: int, cells: int, pixels: int) -> slice:
    """The pixels of a cell and of its neighbours that are nearer than ``reach``."""
    first, last = max(cell - reach + 1, 0), min(cell + reach, cells)
    return slice(first * pixels // cells, -(-last * pixels // cells))


def _timm_families() -> Iterator[tuple[str, Callable[[], tuple[str, nn.Module, Preprocessing]]]]:
    import timm  # noqa: PLC0415 -- an extra

    for family in timm.list_modules():
        yield f"timm {family}", partial(_smallest, timm, family)


def _smallest(timm: Any, family: str) -> tuple[str, nn.Module, Preprocessing]:  # noqa: ANN401 -- timm is not typed
    """The smallest of the family's networks whose names look small."""

    def rank(name: str) -> tuple[int, int, str]:
        small = next((place for place, hint in enumerate(SMALL) if hint in name), len(SMALL))
        return small, int(re.search(r"_?(\d+)", name)[1]) if re.search(r"_?(\d+)", name) else 0, name

    names = [name for name in timm.list_models(module=family) if not name.startswith("test_")]
    sizes = {}
    for name in sorted(names, key=rank)[:TRIED]:
        with torch.device("meta"):
            try:
                sizes[name] = sum(weight.numel() for weight in timm.create_model(name).parameters())
            except (NotImplementedError, RuntimeError, TypeError):
                continue
    name = min(sizes, key=sizes.__getitem__) if sizes else min(names, key=rank)
    if sizes.get(name, 0) > LARGEST:
        raise ValueError(f"{name} has {sizes[name] / 1e6:.0f} million weights: too large for a sweep")
    module = timm.create_model(name)
    channels, height, width = timm.data.resolve_data_config({}, model=module)["input_size"]
    return name, module, Preprocessing((height, width), (height, width)).changed(channels=channels)


def _vit_pytorch_families() -> Iterator[tuple[str, Callable[[], tuple[str, nn.Module, Preprocessing]]]]:
    try:
        import vit_pytorch  # noqa: PLC0415 -- for this sweep only
    except ImportError:
        print("vit-pytorch is not installed: pip install vit-pytorch", file=sys.stderr)
        return
    for module in pkgutil.iter_modules(vit_pytorch.__path__):
        yield f"vit-pytorch {module.name}", partial(_vit_pytorch, module.name)


def _vit_pytorch(name: str) -> tuple[str, nn.Module, Preprocessing]:
    """The module's last class that takes images and gives classes, small."""
    code = importlib.import_module(f"vit_pytorch.{name}")
    classes = [
        (title, kind, inspect.signature(kind).parameters)
        for title, kind in vars(code).items()
        if inspect.isclass(kind) and issubclass(kind, nn.Module) and kind.__module__ == code.__name__
    ]
    title, kind, parameters = next(
        entry
        for entry in reversed(classes)
        if "num_classes" in entry[2] and not {"frames", "num_frames"} & set(entry[2])
    )
    required = {key for key, parameter in parameters.items() if parameter.default is inspect.Parameter.empty}
    named = {key: SETTINGS[key] for key in parameters if key in SETTINGS and (key in required or key != "channels")}
    size = SETTINGS["image_size"] if {"image_size", "img_size"} & set(named) else 224
    return f"{name}.{title}", kind(**named), Preprocessing((size, size), (size, size))


def _line(error: Exception) -> str:
    return " ".join(str(error).split())[:240]


def _table(rows: list[dict[str, Any]]) -> str:
    counts = {outcome: sum(row["outcome"] == outcome for row in rows) for outcome in ("right", "refused", "wrong")}
    lines = [
        f"| {row['family']} | {row['network']} | {row['outcome']} | {row['map'] or row['reason']} |" for row in rows
    ]
    return "\n".join(
        [
            f"{counts['right']} right, {counts['refused']} refused, {counts['wrong']} wrong.",
            "",
            "| family | network | outcome | map, or reason |",
            "|---|---|---|---|",
            *(line.replace("\n", " ") for line in lines),
            "",
        ]
    )


if __name__ == "__main__":
    sys.exit(main())
