"""Fetches published weights files, each once, and translates their old names of tensors into today's."""

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
"""The form in which DenseNet's published files write today's ``norm1``."""

_PARALLEL = re.compile(r"(?<![^.])module\.")


def current_names(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """A published state dict under today's names, without the prefixes that ``DataParallel`` added inside."""
    return {_PARALLEL.sub("", _OLD_DENSE.sub(r"\1\2", key)): value for key, value in state.items()}


def fetch_weights(name: str, url: str, progress: Bytes | None = None) -> Path:
    """A published weights file, from torch's cache or the web; by PyTorch's convention its name holds its hash.

    Raises:
        WeightsError: if it cannot be fetched.
    """
    path = Path(torch.hub.get_dir(), "checkpoints", url.rpartition("/")[2])
    digest = torch.hub.HASH_REGEX.search(path.name)
    if path.exists():
        return path
    try:
        return download(url, path, digest=f"sha256:{digest[1]}" if digest else None, progress=progress)
    except (DownloadError, OutputError) as error:
        raise WeightsError(f"no published weights of {name}: {error}, or give it with --weights FILE") from error
