"""Describes the machine on which the figures were measured."""

from __future__ import annotations

import os
import platform
from pathlib import Path

import torch

_CPUS = Path("/proc/cpuinfo")
_TUNABLES = ("LD_PRELOAD", "GLIBC_TUNABLES", "MALLOC_MMAP_MAX_", "MALLOC_MMAP_THRESHOLD_", "MALLOC_TRIM_THRESHOLD_")


def machine() -> dict[str, object]:
    """Processor, cores, threads, PyTorch, C library and GPU."""
    facts: dict[str, object] = {
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
        facts["allocator's settings"] = changed
    if torch.cuda.is_available():
        facts["gpu"] = torch.cuda.get_device_name()
    return facts


def processor() -> str:
    """The processor's name, if the system gives it."""
    if _CPUS.exists():
        for line in _CPUS.read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()
