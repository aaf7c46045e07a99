"""Makes the C library keep the memory that PyTorch frees, for the next forward pass.

On the CPU, PyTorch gets every tensor from the C library. glibc returns large ones to the system at once, and the system
hands out zeroed pages one by one; with light networks that takes as long as the arithmetic. A process that runs one
network repeatedly needs the same memory again a moment later.
"""

from __future__ import annotations

import ctypes
import sys

# <malloc.h>
_TRIM_THRESHOLD, _MMAP_MAX = -1, -4


def keep_freed_memory() -> None:
    """Keep freed memory in this process from now on. Without glibc, this does nothing."""
    if not sys.platform.startswith("linux"):
        return
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:
        mallopt(_MMAP_MAX, 0)
        mallopt(_TRIM_THRESHOLD, -1)
