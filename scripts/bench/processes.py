"""Processes that do something whenever they are told: each has an allocator, and memory, of its own."""

from __future__ import annotations

import multiprocessing
from functools import partial
from typing import TYPE_CHECKING, Any, Self

from neuronexplain.cli.allocator import keep_freed_memory

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from multiprocessing.connection import Connection

_SPAWN = multiprocessing.get_context("spawn")


class Process:
    """A fresh process; when it is made it has prepared what it can be told to do.

    Args:
        prepare: a function of a module that gives what can be done, by name.
        arguments: what ``prepare`` is given.
        keeps_memory: whether freed memory stays with the process, as the command line has it; else the C library does
            as it always does.
    """

    def __init__(
        self, prepare: Callable[..., Mapping[str, Callable[[], object]]], *arguments: object, keeps_memory: bool
    ) -> None:
        self._here, there = _SPAWN.Pipe()
        self._process = _SPAWN.Process(target=_serve, args=(there, prepare, arguments, keeps_memory), daemon=True)
        self._process.start()
        there.close()
        self._answer()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._here.close()
        self._process.join()

    def side(self, name: str) -> Callable[[], Any]:
        """A function that has the process do one of the things, and gives its answer."""
        return partial(self.do, name)

    def do(self, name: str) -> Any:  # noqa: ANN401 -- whatever it is that is done
        """Have the process do one of the things."""
        self._here.send(name)
        return self._answer()

    def _answer(self) -> object:
        try:
            return self._here.recv()
        except EOFError:
            raise RuntimeError("a process of the benchmark failed; what it wrote is above") from None


def _serve(
    there: Connection,
    prepare: Callable[..., Mapping[str, Callable[[], object]]],
    arguments: tuple[object, ...],
    keeps_memory: bool,  # noqa: FBT001 -- handed over as a plain tuple
) -> None:
    if keeps_memory:
        keep_freed_memory()
    known = prepare(*arguments)
    there.send(sorted(known))
    while True:
        try:
            name = there.recv()
        except EOFError:
            return
        there.send(known[name]())
