"""Strikes at one call to the C library: kills the process there, or lets the call fail as a disk would."""

from __future__ import annotations

import ctypes
import mmap
import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from enum import IntFlag
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from typing import Self

_SOURCE = Path(__file__).with_suffix(".c")
_LIBRARY = "NEURONEXPLAIN_ATTACK_LIBRARY"


class Calls(IntFlag):
    """Kinds of calls that concern files; as in ``interposer.c``."""

    OPEN = 1
    READ = 2
    CREATE = 4
    WRITE = 8
    SYNC = 16
    RENAME = 32
    REMOVE = 64
    FOLDER = 128
    TRUNCATE = 256


CHANGES = Calls.CREATE | Calls.WRITE | Calls.SYNC | Calls.RENAME | Calls.REMOVE | Calls.FOLDER | Calls.TRUNCATE
"""Calls after which a folder is not as it was."""

GROWTH = Calls.CREATE | Calls.WRITE | Calls.FOLDER
"""Calls that a full disk refuses."""


@dataclass(frozen=True, slots=True)
class Strike:
    """Where and how a process is struck.

    Attributes:
        calls: which calls count.
        at: number of the call that is struck, from 1; 0 only counts.
        error: errno of that call; 0 kills the process there.
        lasting: whether all later calls fail too.
        torn: whether a write that is struck writes its first half.
    """

    calls: Calls
    at: int = 0
    error: int = 0
    lasting: bool = False
    torn: bool = False


class _Plan(ctypes.Structure):
    _fields_ = (
        ("at", ctypes.c_long),
        ("seen", ctypes.c_long),
        ("kinds", ctypes.c_int),
        ("error", ctypes.c_int),
        ("lasting", ctypes.c_int),
        ("torn", ctypes.c_int),
        ("root", ctypes.c_char * 1024),
    )


class Interposer:
    """The library that this process was started under; children that are forked from it can be armed."""

    def __init__(self, library: Path) -> None:
        self._library = ctypes.CDLL(str(library))
        shutil.rmtree(library.parent)  # it is loaded, and this process makes a folder of its own
        self._memory = mmap.mmap(-1, ctypes.sizeof(_Plan))  # shared with the children
        self._plan = _Plan.from_buffer(self._memory)

    @classmethod
    def loaded(cls) -> Self | None:
        """The interposer, if this process was started under it."""
        library = os.environ.pop(_LIBRARY, None)
        os.environ.pop("LD_PRELOAD", None)  # programs that are started are on their own
        return cls(Path(library)) if library else None

    def prepare(self, strike: Strike, root: Path) -> None:
        """Plan a strike at calls that concern files under a folder."""
        plan = self._plan
        plan.at, plan.seen, plan.kinds, plan.error = strike.at, 0, int(strike.calls), strike.error
        plan.lasting, plan.torn, plan.root = strike.lasting, strike.torn, os.fsencode(root)

    def arm(self) -> None:
        """Follow the plan from now on: to be called in the child."""
        self._library.interposer_arm(ctypes.byref(self._plan))

    @property
    def seen(self) -> int:
        """Number of calls that counted since the plan was made."""
        return int(self._plan.seen)


def restart_under(folder: Path) -> None:
    """Start this script again under the interposer, compiled into ``folder``; return if there is no C compiler."""
    compiler = shutil.which("cc")
    if compiler is None:
        return
    library = folder / "interposer.so"
    subprocess.run([compiler, "-O1", "-shared", "-fPIC", "-o", library, _SOURCE, "-ldl"], check=True)
    environment = {**os.environ, "LD_PRELOAD": str(library), _LIBRARY: str(library)}
    os.execve(sys.executable, [sys.executable, *sys.argv], environment)
