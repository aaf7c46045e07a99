"""What texts in a module's code may read, with placeholders in braces for what is known only when they are made."""

from __future__ import annotations

import ast
from dataclasses import dataclass
from functools import cached_property
from itertools import product
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

_PARTS: Final = ("values", "value", "left", "body", "elt", "func")
"""Where the part of an expression is that names it."""
_MOST: Final = 6
"""How many forms of one message are told apart; beyond, its parts become placeholders."""
_DEEPEST: Final = 2
"""How many names and calls are followed from a message to a text."""


@dataclass(frozen=True)
class Module:
    """The code of a module, and what of it can become part of a message.

    Attributes:
        path: its file.
        name: what the file is called on pages.
    """

    path: Path
    name: str

    @cached_property
    def _tree(self) -> ast.Module:
        return ast.parse(self.path.read_text("utf-8"))

    @cached_property
    def _nodes(self) -> list[ast.AST]:
        return list(ast.walk(self._tree))

    @cached_property
    def calls(self) -> list[ast.Call]:
        """The module's calls, in the order of lines."""
        return sorted((node for node in self._nodes if isinstance(node, ast.Call)), key=_line)

    @cached_property
    def functions(self) -> list[ast.FunctionDef]:
        """The module's functions and methods."""
        return [node for node in self._nodes if isinstance(node, ast.FunctionDef)]

    @property
    def bases(self) -> Iterator[tuple[str, str]]:
        """A class and a base of it, for each pair of the module."""
        for node in self._nodes:
            if isinstance(node, ast.ClassDef):
                yield from ((node.name, last_name(base)) for base in node.bases)

    def texts(self, node: ast.expr, call: ast.expr, depth: int = 0) -> list[str]:
        """What an expression in a call may read, with placeholders for what is known only when it is evaluated."""
        forms: list[str] = []
        match node:
            case ast.Constant(value=str(text)):
                forms = [text]
            case ast.JoinedStr(values=values):
                forms = _joined([self.texts(value, call, depth) for value in values])
                if len(forms) > _MOST:
                    forms = _joined([self.texts(value, call, _DEEPEST) for value in values])
            case ast.FormattedValue(value=value):
                forms = self.texts(value, call, depth) if not isinstance(value, ast.Constant) else [placeholder(value)]
            case ast.BinOp(left=left, op=ast.Add(), right=right) if _is_text(left) or _is_text(right):
                forms = _joined([self.texts(left, call, depth), self.texts(right, call, depth)])
            case ast.IfExp(body=body, orelse=orelse):
                forms = self.texts(body, call, depth) + self.texts(orelse, call, depth)
            case ast.Name(id=name) if depth < _DEEPEST:
                forms = [text for value in self._assigned(name, call) for text in self.texts(value, call, depth + 1)]
            case ast.Call(func=func) if depth < _DEEPEST:
                forms = [text for value in self._returned(func) for text in self.texts(value, value, depth + 1)]
        return list(dict.fromkeys(forms)) if 0 < len(forms) <= _MOST else [placeholder(node)]

    @cached_property
    def _constants(self) -> dict[str, ast.expr]:
        """The module's texts by name."""
        return {
            last_name(target): node.value
            for node in self._tree.body
            if isinstance(node, (ast.Assign, ast.AnnAssign)) and node.value is not None and _is_text(node.value)
            for target in (node.targets if isinstance(node, ast.Assign) else [node.target])
        }

    def _assigned(self, name: str, call: ast.expr) -> list[ast.expr]:
        """The texts that a name may hold in the function around a call."""
        if name in self._constants:
            return [self._constants[name]]
        around = [one for one in self.functions if one.lineno <= call.lineno <= (one.end_lineno or 0)]
        nodes = (node for node in ast.walk(around[-1]) if isinstance(node, ast.Assign)) if around else ()
        return [
            node.value
            for node in nodes
            if [last_name(target) for target in node.targets] == [name] and self._makes_text(node.value)
        ]

    def _makes_text(self, node: ast.expr) -> bool:
        return _is_text(node) or (isinstance(node, ast.Call) and bool(self._returned(node.func)))

    def _returned(self, function: ast.expr) -> list[ast.expr]:
        """The texts that a function of the module may return."""
        called = [one for one in self.functions if one.name == last_name(function)]
        nodes = [node for one in called for node in ast.walk(one) if isinstance(node, ast.Return)]
        return [node.value for node in nodes if node.value is not None and _is_text(node.value)]


def _joined(parts: Sequence[Sequence[str]]) -> list[str]:
    return ["".join(combination) for combination in product(*parts)]


def placeholder(node: ast.expr) -> str:
    """What stands in a message for a value: what the code calls it.

    >>> [placeholder(ast.parse(code, mode="eval").body) for code in ("', '.join(names)", "self.run.id", "len(images)")]
    ['{names}', '{run id}', '{number of images}']
    """
    return f"{{{_called(node).replace('_', ' ').strip()}}}"


def _called(node: ast.expr) -> str:
    match node:
        case ast.Name(id=name) | ast.Attribute(value=ast.Name(id="self" | "cls"), attr=name):
            return name
        case ast.Attribute(value=value, attr=name):
            return "reason" if name == "strerror" else f"{_called(value)} {name}"
        case ast.Call(func=ast.Name(id="len"), args=[value]):
            return f"number of {_called(value)}"
        case ast.Call(func=ast.Name(id="map" | "filter"), args=[_, value]) | ast.Call(args=[value, *_]):
            return _called(value)
        case ast.Constant(value=value):
            return str(value)
    parts = (getattr(node, field, None) for field in _PARTS)
    part = next((part for part in parts if part), None)
    inner = part[0] if isinstance(part, list) else part
    return _called(inner) if isinstance(inner, ast.expr) else "…"


def _is_text(node: ast.expr) -> bool:
    """Whether an expression reads like text that says something: a literal, or a choice or a sum of some."""
    match node:
        case ast.Constant(value=value):
            return isinstance(value, str) and value != ""
        case ast.JoinedStr():
            return True
        case ast.BinOp(left=left, op=ast.Add()):
            return _is_text(left)
        case ast.IfExp(body=body, orelse=orelse):
            return _is_text(body) and _is_text(orelse)
    return False


def last_name(node: ast.expr) -> str:
    """The name at the end of an expression such as ``a.b.c``, or nothing."""
    return getattr(node, "id", getattr(node, "attr", ""))


def _line(node: ast.Call) -> int:
    return node.lineno
