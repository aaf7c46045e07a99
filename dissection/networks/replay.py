"""Runs what follows a layer again, without computing what comes before it.

A network is a program: only a run of it tells what follows a layer, and a branch beside the layer may go on to use the
image. So the first run takes notes of what each function of PyTorch returned before the layer ran (:class:`Notes`), and
a second run of the same program is answered from them (:class:`Replay`)::

    with body, notes, NotedCut(module, layer, layout, body, notes) as cut:
        scores = module(images)
    with Replay(notes) as replay, Insertion(module, layer, layout, maps, replay):
        other_scores = module(images)

Of tensors, notes keep those that are still held when the layer has run: no others can be read afterwards. The others
are answered with memory of the same shape that nothing was written to.
"""

from __future__ import annotations

import weakref
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor
from torch.overrides import TorchFunctionMode

from .linear_changes import LinearCalls
from .tap import Cut, Tap

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from jaxtyping import Float
    from torch import nn

    from dissection.vocabulary import Layer

    from .map_layouts import Layout
    from .tap import Body


class UnrepeatableError(Exception):
    """A network does not run the same way a second time; never reaches a user."""


@dataclass(slots=True)
class _TensorNote:
    """A tensor that a function returned, without keeping it alive before :meth:`keep`."""

    reference: weakref.ref[Tensor]
    shape: torch.Size
    dtype: torch.dtype
    device: torch.device
    kept: Tensor | None = None
    version: int = 0

    @classmethod
    def of(cls, tensor: Tensor) -> _TensorNote:
        return cls(weakref.ref(tensor), tensor.shape, tensor.dtype, tensor.device)

    def keep(self) -> None:
        self.kept = self.reference()
        if self.kept is not None:
            self.version = _version(self.kept)

    def answer(self) -> Tensor:
        if self.kept is None:
            return torch.empty(self.shape, dtype=self.dtype, device=self.device)
        if _version(self.kept) != self.version:
            raise UnrepeatableError("a tensor from before the layer was overwritten after it")
        return self.kept


class Notes(TorchFunctionMode):
    """Notes what each function returns until :meth:`close`, and from there on the calls of large linear functions."""

    def __init__(self) -> None:
        super().__init__()
        self._calls: list[tuple[Callable[..., Any], Any]] = []
        self._is_open = True
        self.linear_calls = LinearCalls()

    def __torch_function__(
        self, func: Callable[..., Any], _types: object, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:  # noqa: ANN401 -- whatever the function gives
        answer = func(*args, **(kwargs or {}))
        if self._is_open:
            self._calls.append((func, _note(answer)))
        elif not kwargs:
            self.linear_calls.note(func, args, answer)
        return answer

    def close(self) -> None:
        """Keep the tensors that are still held."""
        self._is_open = False
        for _, note in self._calls:
            for part in note if isinstance(note, (tuple, list)) else (note,):
                if isinstance(part, _TensorNote):
                    part.keep()

    def calls(self) -> Iterator[tuple[Callable[..., Any], Any]]:
        """Each function that was called, and the note of what it returned."""
        return iter(self._calls)


class Replay(TorchFunctionMode):
    """Answers each function from notes until :meth:`close`, and from there on large linear functions that can be.

    Raises:
        UnrepeatableError: if another function is called than was noted, or a noted tensor was overwritten.
    """

    def __init__(self, notes: Notes) -> None:
        super().__init__()
        self._calls: Iterator[tuple[Callable[..., Any], Any]] | None = notes.calls()
        self._linear_calls = notes.linear_calls

    def __torch_function__(
        self, func: Callable[..., Any], _types: object, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:  # noqa: ANN401 -- whatever the function gave
        if self._calls is None:
            answer = None if kwargs else self._linear_calls.answer(func, args)
            return func(*args, **(kwargs or {})) if answer is None else answer
        noted, note = next(self._calls, (None, None))
        if noted != func:
            raise UnrepeatableError("the network calls other functions the second time")
        return _answer(note)

    def close(self) -> None:
        """Let functions run from here."""
        self._calls = None


class NotedCut(Cut):
    """A cut that ends the notes when the layer has run."""

    def __init__(self, module: nn.Module, layer: Layer, layout: Layout | None, body: Body, notes: Notes) -> None:
        super().__init__(module, layer, layout, body)
        self._notes = notes

    def _take(self, output: Tensor) -> Tensor:
        self._notes.close()
        return super()._take(output)


class Insertion(Tap):
    """A tap after which a replayed network continues with maps from elsewhere, without a graph."""

    def __init__(
        self,
        module: nn.Module,
        layer: Layer,
        layout: Layout | None,
        maps: Float[Tensor, "images units h w"],
        replay: Replay,
    ) -> None:
        super().__init__(module, layer, layout)
        self._maps = maps
        self._replay = replay

    def _take(self, output: Tensor) -> Tensor:
        self._replay.close()
        return super()._take(output)

    def _keep(self, output: Tensor) -> Tensor:
        return self._maps.to(output)


def _version(tensor: Tensor) -> int:
    """How often a tensor was written to."""
    return tensor._version  # noqa: SLF001 -- PyTorch has no other name for it


def _note(answer: Any) -> Any:  # noqa: ANN401
    if isinstance(answer, Tensor):
        return _TensorNote.of(answer)
    if type(answer) in {tuple, list}:
        return type(answer)(_note(part) for part in answer)
    return answer


def _answer(note: Any) -> Any:  # noqa: ANN401
    if isinstance(note, _TensorNote):
        return note.answer()
    if type(note) in {tuple, list}:
        return type(note)(_answer(part) for part in note)
    return note
