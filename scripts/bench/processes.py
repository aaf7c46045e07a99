"""Processes that run tasks on request, each with its own allocator and memory."""

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
    """A fresh process; once constructed, it has prepared its tasks.

    Args:
        prepare: a function of a module that returns the tasks by name.
        arguments: the arguments of ``prepare``.
        keeps_memory: whether freed memory stays with the process, as in the command line; otherwise the C library
            decides.
    """

    def __init__(
        self, prepare: Callable[..., Mapping[str, Callable[[], object]]], *arguments: object, keeps_memory: bool
    ) -> None:
        self._connection, child_connection = _SPAWN.Pipe()
        serve_arguments = (child_connection, prepare, arguments, keeps_memory)
        self._process = _SPAWN.Process(target=_serve, args=serve_arguments, daemon=True)
        self._process.start()
        child_connection.close()
        self._answer()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._connection.close()
        self._process.join()

    def side(self, name: str) -> Callable[[], Any]:
        """A function that runs one of the tasks in the process and returns its answer."""
        return partial(self.do, name)

    def do(self, name: str) -> Any:  # noqa: ANN401 -- whatever the task returns
        """Run one of the tasks in the process."""
        self._connection.send(name)
        return self._answer()

    def _answer(self) -> object:
        try:
            return self._connection.recv()
        except EOFError:
            raise RuntimeError("a process of the benchmark failed; its output is above") from None


def _serve(
    connection: Connection,
    prepare: Callable[..., Mapping[str, Callable[[], object]]],
    arguments: tuple[object, ...],
    keeps_memory: bool,  # noqa: FBT001 -- handed over as a plain tuple
) -> None:
    if keeps_memory:
        keep_freed_memory()
    tasks = prepare(*arguments)
    connection.send(sorted(tasks))
    while True:
        try:
            name = connection.recv()
        except EOFError:
            return
        connection.send(tasks[name]())
