"""Repositories of the Hugging Face hub and folders like them: where they are, and how their weights are loaded."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dissection.errors import WeightsError
from dissection.networks.checkpoint_claims import refuse_claims
from dissection.networks.weights import is_finite

if TYPE_CHECKING:
    from collections.abc import Mapping

    from torch import nn

PREFIX = "hf/"
NO_CODE = {"trust_remote_code": False}
"""Without it, transformers asks on the terminal whether to run a repository's code."""

_PICKLE = "pytorch_model.bin"


def pretrained(kind: Any, name: str, location: str, **options: object) -> nn.Module:  # noqa: ANN401 -- transformers
    """The repository's network; transformers itself would fill in missing weights at random, and say so in a log."""
    for file in _pickles(Path(location)):
        refuse_claims(file)
    module: nn.Module
    module, loading = kind.from_pretrained(location, dtype="float32", output_loading_info=True, **NO_CODE, **options)
    missing = [str(key) for key in loading["missing_keys"]]
    if missing:
        raise WeightsError(f"{name} lacks the weights {', '.join(missing[:3])}; fetch one that was trained for it")
    odd = [key for key, value in module.named_parameters() if not is_finite(value)]
    if odd:
        raise WeightsError(f"the weights of {name} hold a NaN or an infinity ({', '.join(odd[:3])}); fetch them again")
    return module


def _pickles(folder: Path) -> list[Path]:
    """The pickles of weights that transformers may read in a folder: the usual one, and those that an index names."""
    index = folder / f"{_PICKLE}.index.json"
    named = json.loads(index.read_bytes())["weight_map"].values() if index.is_file() else ()
    return [file for name in sorted({_PICKLE, *named}) if (file := folder / name).is_file()]


def location_of(name: str) -> str:
    """The repository, or the folder's absolute path."""
    rest = name.removeprefix(PREFIX)
    folder = Path(rest).expanduser()
    return str(folder.resolve()) if folder.is_dir() else rest


def real_labels(labels: Mapping[int, str]) -> tuple[str, ...]:
    """Labels by index, unless they are placeholders."""
    ordered = tuple(label for _, label in sorted(labels.items()))
    return () if all(label == f"LABEL_{index}" for index, label in enumerate(ordered)) else ordered
