"""Reads pickles without running the code that they name, in memory and time that the size of the file bounds.

A pickle is a program that names functions to call. Here every name stands for a thing that takes any arguments, keeps
its state and does nothing. Python's own unpickler is used, not the one in C, which reserves as much memory as a number
in the file says.
"""

from __future__ import annotations

import pickle
from collections import OrderedDict
from typing import TYPE_CHECKING, Any, ClassVar, Self

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

_LARGEST_KEY = 1000
"""Parts of a key, at most: a few bytes of tuples in tuples could take for ever to hash."""


class Thing:
    """Stands for anything that a pickle names: it takes any arguments, keeps its state, and does nothing."""

    dump_patches = False
    """torch reads it from a module's class in an old file, and compares sources if it is true."""

    named: ClassVar[tuple[str, str]] = ("", "")
    """The module and the name that it stands for."""

    def __new__(cls, *_args: object, **_kwargs: object) -> Self:
        """Take any arguments."""
        return super().__new__(cls)

    def __init__(self, *_args: object, **_kwargs: object) -> None:
        self.state: object = None

    def __call__(self, *_args: object, **_kwargs: object) -> Thing:
        """Do nothing."""
        return Thing()

    def __setstate__(self, state: object) -> None:
        self.state = state

    def __setitem__(self, _key: object, _value: object) -> None:
        pass

    def append(self, _value: object) -> None:
        """As a list's."""

    def extend(self, _values: object) -> None:
        """As a list's."""

    def add(self, _value: object) -> None:
        """As a set's."""


class InertUnpickler(pickle._Unpickler):  # noqa: SLF001 -- the documented class, without the one in C that replaces it
    """An unpickler to whom every name is a :class:`Thing`; subclasses know some names better."""

    stack: list[Any]

    dispatch: ClassVar[dict[int, Callable[[Any], None]]] = dict(pickle._Unpickler.dispatch)  # noqa: SLF001

    def __init__(self, file: Any, **options: Any) -> None:  # noqa: ANN401 -- torch's
        settings: dict[str, Any] = {**options, "encoding": "latin1"}  # Python 2 wrote some of these files
        super().__init__(file, **settings)

    def find_class(self, module: str, name: str) -> Any:  # noqa: ANN401 -- a function, or the thing that stands for one
        """The thing that stands for a name; of sets only the texts in them are kept."""
        if module in {"builtins", "__builtin__"} and name in {"set", "frozenset"}:
            return _texts
        if (module, name) == ("collections", "OrderedDict"):
            return _ordered
        kind = _Counter if (module, name) == ("collections", "Counter") else Thing
        return type(name, (kind,), {"named": (module, name)})

    def _set_item(self) -> None:
        _check_keys([self.stack[-2]])
        pickle._Unpickler.load_setitem(self)  # type: ignore[attr-defined]  # noqa: SLF001 -- typeshed hides them

    def _set_items(self) -> None:
        _check_keys(self.stack[::2])
        pickle._Unpickler.load_setitems(self)  # type: ignore[attr-defined]  # noqa: SLF001

    def _dict(self) -> None:
        _check_keys(self.stack[::2])
        pickle._Unpickler.load_dict(self)  # type: ignore[attr-defined]  # noqa: SLF001

    def _add_items(self) -> None:
        _check_keys(self.stack)
        pickle._Unpickler.load_additems(self)  # type: ignore[attr-defined]  # noqa: SLF001

    def _frozenset(self) -> None:
        texts = _texts(self.stack)
        pickle._Unpickler.load_frozenset(self)  # type: ignore[attr-defined]  # noqa: SLF001
        self.stack[-1] = texts

    for _opcode, _load in (
        (pickle.SETITEM, _set_item),
        (pickle.SETITEMS, _set_items),
        (pickle.DICT, _dict),
        (pickle.ADDITEMS, _add_items),
        (pickle.FROZENSET, _frozenset),
    ):
        dispatch[_opcode[0]] = _load


class _Counter(Thing):
    """Stands for a counter, which makes keys of what is in a list."""

    def __new__(cls, *args: object, **kwargs: object) -> Self:
        for argument in args:
            if isinstance(argument, list | tuple):
                _check_keys(argument)
        return super().__new__(cls, *args, **kwargs)


def _ordered(pairs: object = ()) -> OrderedDict[Any, Any]:
    pairs = [tuple(pair) for pair in pairs if isinstance(pair, list | tuple)] if isinstance(pairs, list | tuple) else []
    _check_keys([key for key, _ in pairs])
    return OrderedDict(pairs)


def _texts(values: object = ()) -> frozenset[str]:
    values = list(values) if isinstance(values, list | tuple) else []
    _check_keys(values)
    return frozenset(value for value in values if isinstance(value, str))


def _check_keys(keys: Iterable[object]) -> None:
    """Refuse keys that take long to hash. Only tuples hold other keys: of a frozenset only texts are kept."""
    for key in keys:
        parts, count = [key], 0
        while parts:
            part = parts.pop()
            count += 1 + part.bit_length() // 64 if isinstance(part, int) else 1
            if isinstance(part, tuple):
                parts.extend(part)
            if count + len(parts) > _LARGEST_KEY:
                raise pickle.UnpicklingError(f"a key has more than {_LARGEST_KEY} parts")
