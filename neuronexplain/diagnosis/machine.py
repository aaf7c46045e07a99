"""The machine: its system, what networks can run on, and whether what is kept between runs can be kept."""

from __future__ import annotations

import os
import platform
import tempfile
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING

from dissection.execution.threads import cores

from .places import name_only
from .problems import Problem

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import ModuleType


@dataclass(frozen=True, slots=True)
class Device:
    """Something that a network can run on.

    Attributes:
        device: as ``--device`` takes it.
        name: its name; empty where that is not known.
        memory: bytes; ``None`` where that is not known.
        cores: processor cores that this process may use; 0 for other devices.
        threads: threads of PyTorch; 0 for other devices.
    """

    device: str
    name: str
    memory: int | None
    cores: int = 0
    threads: int = 0


@dataclass(frozen=True, slots=True)
class Machine:
    """The machine, without its name.

    Attributes:
        system: the operating system and its release.
        architecture: the processor's kind.
        torch_for: what PyTorch is built for, such as ``CUDA 13.0``; empty if it does not load.
        devices: what networks can run on.
    """

    system: str
    architecture: str
    torch_for: str
    devices: tuple[Device, ...]


def machine() -> Machine:
    """This machine."""
    torch = _torch()
    threads = torch.get_num_threads() if torch else 0
    processor = Device("cpu", platform.processor(), _memory(), cores(), threads)
    others = _others(torch) if torch else ()
    return Machine(
        f"{platform.system()} {platform.release()}",
        platform.machine(),
        _built_for(torch) if torch else "",
        (processor, *others),
    )


def machine_problems() -> Iterator[Problem]:
    """Folders that would keep work from being done twice, and cannot be written."""
    import torch  # noqa: PLC0415 -- which may be what does not work
    from platformdirs import user_state_path  # noqa: PLC0415

    from dissection.execution.kernels import are_kept  # noqa: PLC0415

    places = {
        "published weights are fetched again each time": (Path(torch.hub.get_dir()), "TORCH_HOME"),
        "networks that are code must be named each time": (
            user_state_path("neuronexplain", appauthor=False),
            "XDG_STATE_HOME",
        ),
        "work is done in temporary folders, and fails": (Path(tempfile.gettempdir()), "TMPDIR"),
    }
    for consequence, (folder, variable) in places.items():
        if not _is_writable(folder):
            what = f"the folder {name_only(str(folder))} cannot be written: {consequence}"
            yield Problem(what, f"name another with {variable}")
    if not are_kept():
        yield Problem(
            "compiled loops cannot be kept: every command compiles them again, which takes seconds",
            "name a folder that can be written with NUMBA_CACHE_DIR",
        )


def _torch() -> ModuleType | None:
    """PyTorch, if it loads; that it does not is told as a problem of software."""
    try:
        return import_module("torch")
    except Exception:  # noqa: BLE001 -- a library that does not load can raise anything
        return None


def _built_for(torch: ModuleType) -> str:
    if torch.version.cuda:
        return f"CUDA {torch.version.cuda}"
    return f"ROCm {torch.version.hip}" if torch.version.hip else "CPU"


def _others(torch: ModuleType) -> Iterator[Device]:
    """Devices besides the processor."""
    for number in range(torch.cuda.device_count()):
        properties = torch.cuda.get_device_properties(number)
        yield Device(f"cuda:{number}", properties.name, properties.total_memory)
    if torch.backends.mps.is_available():
        yield Device("mps", "Apple GPU", torch.mps.recommended_max_memory())


def _memory() -> int | None:
    """Bytes of the machine's memory, where the system says."""
    try:
        return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    except (AttributeError, OSError, ValueError):
        return None


def _is_writable(folder: Path) -> bool:
    """Whether a folder can be written, or made."""
    existing = next((path for path in (folder, *folder.parents) if path.exists()), folder)
    return existing.is_dir() and os.access(existing, os.W_OK | os.X_OK)
