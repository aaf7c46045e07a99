"""Says what the figures were measured on."""

from __future__ import annotations

import os
import platform
from pathlib import Path

import torch

_CPUS = Path("/proc/cpuinfo")
_TUNABLES = ("LD_PRELOAD", "GLIBC_TUNABLES", "MALLOC_MMAP_MAX_", "MALLOC_MMAP_THRESHOLD_", "MALLOC_TRIM_THRESHOLD_")


def machine() -> dict[str, object]:
    """Processor, cores, threads, PyTorch, C library and GPU."""
    found: dict[str, object] = {
        "processor": processor(),
        "cores": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count(),
        "threads": torch.get_num_threads(),
        "system": f"{platform.system()} {platform.machine()}",
        "python": platform.python_version(),
        "torch": torch.__version__,
        "allocator": " ".join(platform.libc_ver()) or "the system's",
    }
    changed = {name: os.environ[name] for name in _TUNABLES if name in os.environ}
    if changed:
        found["allocator's settings"] = changed
    if torch.cuda.is_available():
        found["gpu"] = torch.cuda.get_device_name()
    return found


def processor() -> str:
    """The processor's name, where the system says it."""
    if _CPUS.exists():
        for line in _CPUS.read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()
