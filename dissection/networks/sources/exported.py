"""Turns programs that ``torch.export.save`` wrote (``.pt2``) into modules again, so that their layers can be read.

Such a program is its author's code, which says what torch's operators do. It is opened only if the user names it, and
:mod:`program_archive` looks for anything else in it. TorchScript is refused: its modules run inside a compiled
interpreter, where no layer can be read.
"""

from __future__ import annotations

import logging
import warnings
from contextlib import contextmanager
from typing import TYPE_CHECKING

import torch

from dissection.errors import NetworkError
from dissection.networks.preprocessing import Preprocessing

from .program_archive import HoldsCodeError, require_plain
from .spec import NetworkSpec, load

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from torch.export import ExportedProgram

    from dissection.networks.weights import WeightsFile

_ADVICE = (
    "export it in evaluation mode with a batch of any size: torch.export.export(model.eval(), (images,), "
    "dynamic_shapes=({0: torch.export.Dim('batch')},))"
)


def open_exported(path: Path, weights: WeightsFile | Path | None = None) -> NetworkSpec:
    """The network of an exported program, which sets the size of its images.

    Raises:
        NetworkError: if it cannot be opened, or takes anything but a batch of images.
        WeightsError: if the weights do not fit.
    """
    if not path.is_file():
        raise NetworkError(f"no file {path}; give a program that torch.export.save wrote")
    program = _opened(path)
    channels, height, width = _image(program, path)
    module = load(torch.export.unflatten(program), weights)
    preprocessing = Preprocessing((height, width), round(height * 256 / 224) if height == width else (height, width))
    return NetworkSpec(module, path.stem, preprocessing.changed(channels=channels), spec=str(path))


def _opened(path: Path) -> ExportedProgram:
    try:
        require_plain(path)
        with _quiet():
            return torch.export.load(path)
    except HoldsCodeError as error:
        raise NetworkError(f"{path} is refused, since opening it could run anything: {error}; {_ADVICE}") from error
    except Exception as error:
        reason = " ".join(str(error).split())[:200]
        raise NetworkError(
            f"{path} is not a program that this torch can open ({type(error).__name__}: {reason}); {_ADVICE}"
        ) from error


@contextmanager
def _quiet() -> Iterator[None]:
    """Keep torch from logging a traceback of what goes wrong: it is told in one line."""
    before = logging.root.manager.disable
    logging.disable(logging.CRITICAL)
    try:
        with warnings.catch_warnings(action="ignore"):
            yield
    finally:
        logging.disable(before)


def _image(program: ExportedProgram, path: Path) -> tuple[int, int, int]:
    """Channels, height and width of the images a program takes."""
    names = set(program.graph_signature.user_inputs)
    inputs = [node.meta["val"] for node in program.graph.nodes if node.op == "placeholder" and node.name in names]
    if len(inputs) != 1 or not hasattr(inputs[0], "shape") or len(inputs[0].shape) != 4:
        raise NetworkError(f"{path} takes {len(inputs)} inputs; one batch of images (images, channels, h, w) is needed")
    batch, *size = inputs[0].shape
    if isinstance(batch, int) or not all(isinstance(length, int) for length in size):
        raise NetworkError(f"{path} takes inputs of shape {tuple(inputs[0].shape)}; {_ADVICE}")
    channels, height, width = size
    return channels, height, width
