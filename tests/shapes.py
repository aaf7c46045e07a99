"""Checks what our functions take and give against their annotations while tests run, shapes of arrays among them.

jaxtyping's own import hook reads annotations when a function is defined. Ours name what is imported for type checkers
alone, and classes further down the file: it would leave them unchecked. Here annotations are read when a function is
first called. Whoever runs the library without its tests pays nothing for it.
"""

from __future__ import annotations

import ast
import inspect
import io
import sys
from contextlib import contextmanager, nullcontext
from dataclasses import fields, is_dataclass
from functools import cache, partial, wraps
from importlib.abc import MetaPathFinder
from importlib.machinery import PathFinder, SourceFileLoader
from inspect import Parameter
from pathlib import Path
from threading import Lock
from types import FunctionType, NoneType, UnionType
from typing import (
    IO,
    TYPE_CHECKING,
    Any,
    BinaryIO,
    ParamSpecArgs,
    ParamSpecKwargs,
    Self,
    Union,
    Unpack,
    get_args,
    get_origin,
    runtime_checkable,
)

from beartype import BeartypeConf, FrozenDict, beartype
from beartype.roar import BeartypeCallHintViolation
from jaxtyping import jaxtyped
from numba.core.registry import CPUDispatcher
from sqlalchemy import Row
from typer import Context

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterator, Mapping
    from importlib.machinery import ModuleSpec
    from types import ModuleType

    Check = Callable[[object], None]

COUNTING_FRAMES = ("neuronexplain", "neuronexplain._renamed")
"""Modules left alone: their warnings speak of the line that is so many calls away."""

CONFIGURATION = BeartypeConf(
    is_pep484_tower=True,  # an int will do for a float
    hint_overrides=FrozenDict(
        {
            BinaryIO: io.IOBase,  # which beartype takes for a protocol that io.BytesIO does not follow
            IO[bytes]: io.IOBase,
            Row[Any]: object,  # beartype does not know classes that are generic over any number of types
            Context: Context.__base__,  # of which typer really gives commands an instance
        }
    ),
)

_PARSING = Lock()  # Python 3.11 fails with a SystemError where two threads make syntax trees at once

_checking = True


def check_annotations(*packages: str) -> None:
    """Check all functions and dataclasses of the modules of these packages that are imported from now on."""
    sys.meta_path.insert(0, _Finder(packages))


@contextmanager
def unchecked() -> Iterator[None]:
    """For tests that break a promise on purpose."""
    global _checking  # noqa: PLW0603
    _checking = False
    try:
        yield
    finally:
        _checking = True


class _Finder(MetaPathFinder):
    def __init__(self, packages: tuple[str, ...]) -> None:
        self.packages = packages

    def find_spec(self, fullname, path=None, target=None) -> ModuleSpec | None:
        if fullname.partition(".")[0] not in self.packages or fullname in COUNTING_FRAMES:
            return None
        spec = PathFinder.find_spec(fullname, path, target)
        if spec is not None and isinstance(spec.loader, SourceFileLoader):
            spec.loader = _Loader(spec.loader.name, spec.loader.path)
        return spec


class _Loader(SourceFileLoader):
    """Decorates a module's functions and classes. The code is not kept on disk, where other programs would find it."""

    def get_code(self, fullname):
        tree = _Decorating().visit(ast.parse(self.get_data(self.path)))
        return compile(tree, self.path, "exec", dont_inherit=True)

    def exec_module(self, module):
        module.__checked__ = _checked
        super().exec_module(module)


class _Decorating(ast.NodeTransformer):
    def visit(self, node: ast.AST) -> ast.AST:
        return node if isinstance(node, ast.expr) else super().visit(node)

    def visit_FunctionDef(self, node: ast.FunctionDef) -> ast.FunctionDef:
        """Below other decorators, since annotations are of the bare function; but a kernel is compiled bare."""
        names = [ast.unparse(decorator) for decorator in node.decorator_list]
        return self._decorated(node, 0 if "kernel" in names else len(names))

    def visit_ClassDef(self, node: ast.ClassDef) -> ast.ClassDef:
        return self._decorated(node, 0)

    def _decorated(self, node, place: int):
        self.generic_visit(node)
        node.decorator_list.insert(place, ast.copy_location(ast.Name("__checked__", ast.Load()), node))
        return node


def _checked(thing):
    if isinstance(thing, CPUDispatcher):
        return _checked_kernel(thing)
    return _checked_class(thing) if isinstance(thing, type) else _checked_function(thing, thing)


def _checked_function(function: Callable[..., Any], work: Callable[..., Any]) -> Callable[..., Any]:
    """``work``, checked as the annotations of ``function`` say."""
    checked = cache(lambda: _Checks(function, work).checked)

    def call(*args, **kwargs):
        return checked()(args, kwargs)

    # doctest looks for examples only in functions that live in the module
    return wraps(function)(FunctionType(call.__code__, function.__globals__, closure=call.__closure__))


class _CheckedKernel(CPUDispatcher):
    """A kernel that is checked when Python calls it; one kernel calls another as it always does."""

    def __call__(self, *args):
        return self.checked(*args)


def _checked_kernel(kernel: CPUDispatcher) -> CPUDispatcher:
    kernel.checked = _checked_function(kernel.py_func, partial(CPUDispatcher.__call__, kernel))
    kernel.__class__ = _CheckedKernel
    return kernel


def _checked_class(cls: type) -> type:
    """A dataclass checks its fields when it has been made. Of a protocol one may then ask who follows it."""
    if getattr(cls, "_is_protocol", False):
        return runtime_checkable(cls)
    if "__dataclass_fields__" in vars(cls):
        cls.__init__ = _checked_init(cls, cls.__init__)
    return cls


def _checked_init(cls: type, init: Callable[..., None]) -> Callable[..., None]:
    @cache
    def checks() -> list[tuple[str, frozenset[type], Check]]:
        bases = [base for base in reversed(cls.__mro__) if is_dataclass(base)]
        hints = {name: hint for base in bases for name, hint in _hints(base).items()}
        return [(field.name, *_usual_and_check(hints[field.name])) for field in fields(cls)]

    @wraps(init)
    def checked(self, *args, **kwargs):
        init(self, *args, **kwargs)
        if not _checking:
            return
        values = [(name, getattr(self, name), usual, check) for name, usual, check in checks()]
        further = [(name, value, check) for name, value, usual, check in values if type(value) not in usual]
        with jaxtyped("context") if further else nullcontext():
            for name, value, check in further:
                try:
                    check(value)
                except BeartypeCallHintViolation as error:
                    error.add_note(f"It is {name} of a {_path(cls)}.")
                    raise

    return checked


class _Checks:
    """What a function's arguments and its result must be."""

    def __init__(self, function: Callable[..., Any], work: Callable[..., Any]) -> None:
        hints = _hints(function)
        self.function, self.work = function, work
        self.shaped = "jaxtyping." in repr(hints)
        self.checked = self.call_shaped if self.shaped else self.call
        self.named = {name: _usual_and_check(hint) for name, hint in hints.items()}
        self.result = self.named.get("return", _ANYTHING)
        is_generator = inspect.isgeneratorfunction(function)
        self.element = _usual_and_check(get_args(hints["return"])[0]) if is_generator else None
        kinds = [(parameter.kind, name) for name, parameter in inspect.signature(function).parameters.items()]
        places = (Parameter.POSITIONAL_ONLY, Parameter.POSITIONAL_OR_KEYWORD)
        positional = [self.named.get(name, _ANYTHING) for kind, name in kinds if kind in places]
        self.count = len(positional)
        self.positional = [(place, *checked) for place, checked in enumerate(positional) if checked is not _ANYTHING]
        rest = {kind: self.named.get(name, _ANYTHING) for kind, name in kinds}
        self.more = rest.get(Parameter.VAR_POSITIONAL, _ANYTHING)
        self.others = rest.get(Parameter.VAR_KEYWORD, _ANYTHING)

    def call_shaped(self, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Any:
        with jaxtyped("context"):
            return self.call(args, kwargs)

    def call(self, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Any:
        if not _checking:
            return self.work(*args, **kwargs)
        try:
            there = len(args)
            for place, usual, check in self.positional:
                if place < there and type(args[place]) not in usual:
                    check(args[place])
            for value in args[self.count :]:
                self.more[1](value)
            for name, value in kwargs.items():
                usual, check = self.named.get(name, self.others)
                if type(value) not in usual:
                    check(value)
        except BeartypeCallHintViolation as error:
            error.add_note(f"It was given to {_path(self.function)}.")
            raise
        result = self.work(*args, **kwargs)
        usual, check = self.result
        if type(result) not in usual:
            try:
                check(result)
            except BeartypeCallHintViolation as error:
                error.add_note(f"It was returned by {_path(self.function)}.")
                raise
        return result if self.element is None else self._generator(result)

    def _generator(self, generator: Generator) -> Generator:
        """The same generator, whose elements are checked."""
        usual, check = self.element
        step = partial(next, generator)
        while True:
            try:
                element = step()
            except StopIteration as end:
                return end.value
            if type(element) not in usual:
                try:
                    with jaxtyped("context") if self.shaped else nullcontext():
                        check(element)
                except BeartypeCallHintViolation as error:
                    error.add_note(f"It was yielded by {_path(self.function)}.")
                    raise
            try:
                step = partial(generator.send, (yield element))
            except BaseException as error:  # noqa: BLE001 -- it is the generator's to deal with
                step = partial(generator.throw, error)


def _path(thing) -> str:
    return f"{thing.__module__}.{thing.__qualname__}"


def _anything(value: object) -> None:
    pass


_ANYTHING: tuple[frozenset[type], Check] = (frozenset(), _anything)


@cache
def _usual_and_check(hint) -> tuple[frozenset[type], Check]:
    """Types whose direct instances need no further look, which would take longer; and the check of everything else."""
    check = _check(hint)
    if check is _anything:
        return _ANYTHING
    kinds = get_args(hint) if get_origin(hint) in (Union, UnionType) else (NoneType if hint is None else hint,)
    return frozenset(kind for kind in kinds if isinstance(kind, type)), check


@cache
def _check(hint) -> Check:
    if hint in (Any, object, Self) or isinstance(hint, (ParamSpecArgs, ParamSpecKwargs)):
        return _anything

    def check(value):
        pass

    check.__annotations__ = {"value": hint}
    return beartype(check, conf=CONFIGURATION)


def _hints(thing) -> dict[str, Any]:
    """Annotations of a function or class, as types."""
    names = _names_for_type_checkers(sys.modules[thing.__module__])
    hints = {}
    for name, annotation in inspect.get_annotations(thing).items():
        text = getattr(annotation, "__forward_arg__", annotation)  # a TypedDict has wrapped it
        try:
            hint = eval(text, names.scope, names)
        except TypeError as error:
            if "not subscriptable" not in str(error):  # array and csv.DictReader are from Python 3.12 on
                raise
            hint = Any
        hints |= _hints(*get_args(hint)) if get_origin(hint) is Unpack else {name: hint}
    return hints


class _NamesForTypeCheckers(dict):
    """What a module names under ``if TYPE_CHECKING``; imported when an annotation asks for it."""

    def __init__(self, module: ModuleType) -> None:
        super().__init__()
        self.scope = vars(module)
        self.statements = {
            name: compile(ast.Module([statement], []), module.__file__, "exec")
            for branch in _parsed(Path(module.__file__)).body
            if isinstance(branch, ast.If) and ast.unparse(branch.test) == "TYPE_CHECKING"
            for statement in branch.body
            for name in _names(statement)
        }

    def __missing__(self, name: str) -> Any:
        exec(self.statements[name], self.scope, self)
        return self[name]


def _parsed(path: Path) -> ast.Module:
    with _PARSING:
        return ast.parse(path.read_bytes())


_names_for_type_checkers = cache(_NamesForTypeCheckers)


def _names(statement: ast.stmt) -> list[str]:
    if isinstance(statement, ast.Assign):
        return [ast.unparse(target) for target in statement.targets]
    return [name.asname or name.name for name in statement.names]
