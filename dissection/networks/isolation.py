"""Runs a user's module, in one thread and in evaluation mode, and leaves it as it was."""

from __future__ import annotations

from contextlib import contextmanager
from threading import RLock
from typing import TYPE_CHECKING
from weakref import WeakKeyDictionary

if TYPE_CHECKING:
    from collections.abc import Iterator

    from torch import nn

_LOCKS: WeakKeyDictionary[nn.Module, RLock] = WeakKeyDictionary()
_LOCKS_LOCK = RLock()


@contextmanager
def undisturbed(module: nn.Module) -> Iterator[None]:
    """Hold the module in evaluation mode for one thread; afterwards every submodule's mode is restored.

    Hooks are not thread-safe, so other threads that run the same module wait.
    """
    with _lock(module):
        training = [part for part in module.modules() if part.training]
        for part in training:
            part.training = False
        try:
            yield
        finally:
            for part in training:
                part.training = True


def _lock(module: nn.Module) -> RLock:
    with _LOCKS_LOCK:
        return _LOCKS.setdefault(module, RLock())
