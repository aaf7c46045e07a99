"""Every message of our errors, read from the code where it is raised, with placeholders in braces."""

from __future__ import annotations

import ast
import re
from dataclasses import dataclass
from functools import cached_property
from itertools import product
from pathlib import Path
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

ROOT: Final = Path(__file__).parents[2]
PACKAGES: Final = ("dissection", "db", "neuronexplain")
_TREE: Final = "NeuronExplainError"
_WITH_FILE: Final = "BadFileError"
_PARTS: Final = ("values", "value", "left", "body", "elt", "func")
"""Where the part of an expression is that names it."""
_MOST: Final = 6
"""How many forms of one message are told apart; beyond, its parts become placeholders."""


@dataclass(frozen=True, slots=True)
class ErrorMessage:
    """A message, with the class of its error and the module that raises it, relative to the project's folder."""

    error: str
    text: str
    module: str
    line: int


def error_messages() -> list[ErrorMessage]:
    """The messages of all raised errors, in the order of modules and lines."""
    modules = [Module(path) for package in PACKAGES for path in sorted((ROOT / package).rglob("*.py"))]
    ours = _descendants([base for module in modules for base in module.bases])
    return [message for module in modules for message in module.messages(ours)]


def _descendants(bases: Sequence[tuple[str, str]]) -> frozenset[str]:
    """The classes below the root of our errors, from pairs of a class and a base of it."""
    ours = {_TREE}
    while more := {name for name, base in bases if base in ours} - ours:
        ours |= more
    return frozenset(ours)


@dataclass(frozen=True)
class Module:
    """The code of a module, and what of it can become part of a message."""

    path: Path

    @cached_property
    def _nodes(self) -> list[ast.AST]:
        return list(ast.walk(ast.parse(self.path.read_text("utf-8"))))

    @cached_property
    def _functions(self) -> list[ast.FunctionDef]:
        return [node for node in self._nodes if isinstance(node, ast.FunctionDef)]

    @property
    def bases(self) -> Iterator[tuple[str, str]]:
        """A class and a base of it, for each pair of the module."""
        for node in self._nodes:
            if isinstance(node, ast.ClassDef):
                yield from ((node.name, _last_name(base)) for base in node.bases)

    def messages(self, errors: frozenset[str]) -> Iterator[ErrorMessage]:
        """The messages with which the module makes errors of these classes."""
        for call in sorted((node for node in self._nodes if isinstance(node, ast.Call)), key=_line):
            error = _last_name(call.func)
            if error in errors and call.args:
                shown = "ConceptDataError" if error == _WITH_FILE else error
                for text in self._texts_of(error, call):
                    if re.search(r"\w", re.sub(r"\{[^}]*\}", "", text)):
                        yield ErrorMessage(shown, text, self.path.relative_to(ROOT).as_posix(), call.lineno)

    def _texts_of(self, error: str, call: ast.Call) -> list[str]:
        if error == _WITH_FILE:
            return [f"{{file}}: {text}" for text in self._texts(call.args[1], call)]
        return self._texts(call.args[0], call)

    def _texts(self, node: ast.expr, call: ast.expr, depth: int = 0) -> list[str]:
        """What an expression may read, with placeholders for what is known only when it is evaluated."""
        forms: list[str] = []
        match node:
            case ast.Constant(value=str(text)):
                forms = [text]
            case ast.JoinedStr(values=values):
                parts = [self._texts(value, call, depth) for value in values]
                forms = ["".join(combination) for combination in product(*parts)]
            case ast.FormattedValue(value=value):
                texts = self._texts(value, call, depth) if _is_text(value) else []
                forms = texts or [placeholder(value)]
            case ast.BinOp(left=left, op=ast.Add(), right=right):
                pairs = product(self._texts(left, call, depth), self._texts(right, call, depth))
                forms = ["".join(pair) for pair in pairs]
            case ast.IfExp(body=body, orelse=orelse):
                forms = self._texts(body, call, depth) + self._texts(orelse, call, depth)
            case ast.Name(id=name) if depth < 2:
                forms = [text for value in self._assigned(name, call) for text in self._texts(value, call, depth + 1)]
            case ast.Call(func=func) if depth < 2:
                forms = [text for value in self._returned(func) for text in self._texts(value, value, depth + 1)]
        return list(dict.fromkeys(forms)) if 0 < len(forms) <= _MOST else [placeholder(node)]

    def _assigned(self, name: str, call: ast.expr) -> list[ast.expr]:
        """The texts that a name may hold in the function around a call."""
        around = [one for one in self._functions if one.lineno <= call.lineno <= (one.end_lineno or 0)]
        nodes = (node for node in ast.walk(around[-1]) if isinstance(node, ast.Assign)) if around else ()
        return [
            node.value
            for node in nodes
            if [_last_name(target) for target in node.targets] == [name] and _is_text(node.value)
        ]

    def _returned(self, function: ast.expr) -> list[ast.expr]:
        """The texts that a function of the module may return."""
        called = [one for one in self._functions if one.name == _last_name(function)]
        nodes = [node for one in called for node in ast.walk(one) if isinstance(node, ast.Return)]
        return [node.value for node in nodes if node.value is not None and _is_text(node.value)]


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
        case ast.Call(args=[value, *_]):
            return _called(value)
        case ast.Constant(value=value):
            return str(value)
    parts = (getattr(node, field, None) for field in _PARTS)
    part = next((part for part in parts if part), None)
    inner = part[0] if isinstance(part, list) else part
    return _called(inner) if isinstance(inner, ast.expr) else "…"


def _is_text(node: ast.expr) -> bool:
    """Whether an expression reads like text: a literal, or a choice or a sum of some."""
    match node:
        case ast.Constant(value=value):
            return isinstance(value, str)
        case ast.JoinedStr():
            return True
        case ast.BinOp(left=left, op=ast.Add()):
            return _is_text(left)
        case ast.IfExp(body=body, orelse=orelse):
            return _is_text(body) and _is_text(orelse)
    return False


def _last_name(node: ast.expr) -> str:
    return getattr(node, "id", getattr(node, "attr", ""))


def _line(node: ast.Call) -> int:
    return node.lineno


SUBJECTS: Final[Mapping[str, tuple[str, ...]]] = {
    "Photographs and pictures": ("dissection/images/", "neuronexplain/pictures/"),
    "Concept data": ("dissection/concepts/", "neuronexplain/concept_words.py"),
    "Photographs that a model labels": ("dissection/labelling/",),
    "Dictionaries of features": ("dissection/networks/dictionaries/", "dissection/learning/"),
    "Networks, weights and layers": ("dissection/networks/", "neuronexplain/run_networks.py"),
    "Builds and unfinished work": (
        "dissection/",
        "neuronexplain/build",
        "neuronexplain/class_images.py",
        "neuronexplain/cli/commands/build.py",
    ),
    "Files, archives and downloads": ("dissection/files/",),
    "Databases": ("db/",),
    "Names in files": ("db/exchange/",),
    "Evaluations": (
        "neuronexplain/evaluation/",
        "neuronexplain/metrics/",
        "neuronexplain/studies/",
        "neuronexplain/cli/evaluate/",
    ),
    "Human studies": ("neuronexplain/studies/human/", "neuronexplain/cli/commands/study/"),
    "Audits": ("neuronexplain/audit/", "neuronexplain/cli/audit/"),
    "In a browser": ("neuronexplain/web/", "neuronexplain/cli/commands/serve.py"),
    "Explanations and the command line": ("neuronexplain/",),
}
"""The subjects of the page, and the modules whose messages belong to each: the longest beginning of a path decides."""


def by_subject(messages: Sequence[ErrorMessage]) -> dict[str, list[ErrorMessage]]:
    """The messages of each subject, in the order of :data:`SUBJECTS`, without repetitions."""
    lengths = [(len(prefix), prefix, subject) for subject, prefixes in SUBJECTS.items() for prefix in prefixes]
    grouped: dict[str, list[ErrorMessage]] = {subject: [] for subject in SUBJECTS}
    for message in messages:
        _, _, subject = max(entry for entry in lengths if message.module.startswith(entry[1]))
        if all((one.error, one.text) != (message.error, message.text) for one in grouped[subject]):
            grouped[subject].append(message)
    return grouped


if __name__ == "__main__":
    for message in error_messages():
        print(f"{message.module}:{message.line} {message.error}: {message.text}")
