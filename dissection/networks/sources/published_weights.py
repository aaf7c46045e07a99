"""Weights files as they were published: fetching them once, and the names that they use for what has others today."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

import torch

from dissection.errors import DownloadError, OutputError, WeightsError
from dissection.files.downloads import download

if TYPE_CHECKING:
    from collections.abc import Mapping

    from torch import Tensor

    from dissection.files.transfers import Bytes

_OLD_DENSE = re.compile(r"(denselayer\d+\.(?:norm|relu|conv))\.([12])(?=\.)")
"""How DenseNet's published files name what is ``norm1`` today."""

_PARALLEL = re.compile(r"(?<![^.])module\.")


def own_names(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """A published state dict under today's names, without what ``DataParallel`` added inside."""
    return {_PARALLEL.sub("", _OLD_DENSE.sub(r"\1\2", key)): value for key, value in state.items()}


def fetch(name: str, url: str, progress: Bytes | None = None) -> Path:
    """A published weights file, from torch's cache or the web; PyTorch's custom puts its hash into its name.

    Raises:
        WeightsError: if it cannot be had.
    """
    path = Path(torch.hub.get_dir(), "checkpoints", url.rpartition("/")[2])
    digest = torch.hub.HASH_REGEX.search(path.name)
    if path.exists():
        return path
    try:
        return download(url, path, digest=f"sha256:{digest[1]}" if digest else None, progress=progress)
    except (DownloadError, OutputError) as error:
        raise WeightsError(f"no published weights of {name}: {error}, or give it with --weights FILE") from error
