"""Which device a network runs on, where that is left to us."""

from __future__ import annotations

import torch


def fastest_device() -> str:
    """``cuda``, ``mps`` or ``cpu``, whichever of them is there first."""
    if torch.cuda.is_available():
        return "cuda"
    return "mps" if torch.backends.mps.is_available() else "cpu"
