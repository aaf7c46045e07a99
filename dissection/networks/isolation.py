"""Runs a user's module, in one thread and in evaluation mode, and leaves it as it was."""

from __future__ import annotations

from contextlib import contextmanager
from threading import RLock
from typing import TYPE_CHECKING
from weakref import WeakKeyDictionary

import torch

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


@contextmanager
def tried(module: nn.Module) -> Iterator[None]:
    """Hold the module as :func:`undisturbed` does, without autograd, for runs on images that are none of the user's.

    Its buffers are restored too: some modules count or average in them in any mode.
    """
    with undisturbed(module), _buffers_kept(module), torch.no_grad():
        yield


@contextmanager
def _buffers_kept(module: nn.Module) -> Iterator[None]:
    before = [
        (part, name, buffer, None if buffer is None else buffer.clone())
        for part in module.modules()
        for name, buffer in part._buffers.items()  # noqa: SLF001 -- a module may put another tensor in a buffer's place
    ]
    try:
        yield
    finally:
        with torch.no_grad():
            for part, name, buffer, content in before:
                part._buffers[name] = buffer  # noqa: SLF001
                if buffer is not None and content is not None and not torch.equal(buffer, content):
                    buffer.copy_(content)


def share_lock(module: nn.Module, other: nn.Module) -> None:
    """Let two modules that have parts in common wait for each other."""
    lock = _lock(other)
    with _LOCKS_LOCK:
        _LOCKS[module] = lock


def _lock(module: nn.Module) -> RLock:
    with _LOCKS_LOCK:
        return _LOCKS.setdefault(module, RLock())
