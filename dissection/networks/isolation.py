"""Running somebody's module and leaving it as it was: alone with it, in evaluation mode."""

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
    """Alone with the module, in evaluation mode; every submodule's mode is as before afterwards.

    Hooks are not thread-safe, so whoever runs the same module waits.
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
