"""Every message of our errors, read from the code where it is raised, with placeholders in braces."""

from __future__ import annotations

import ast
import re
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Final

from texts_in_code import Module, last_name, placeholder

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

ROOT: Final = Path(__file__).parents[2]
PACKAGES: Final = ("dissection", "db", "neuronexplain")
_TREE: Final = "NeuronExplainError"
_WITH_FILE: Final = "BadFileError"
_TAKEN: Final = {"what", "why", "reason", "problem"}
"""What functions that make an error of a text call that text."""
_AGAIN: Final = "{error}"
"""How a message begins that another error is raised again with."""


@dataclass(frozen=True, slots=True)
class ErrorMessage:
    """A message, with the class of its error and the module that raises it, relative to the project's folder."""

    error: str
    text: str
    module: str
    line: int

    @property
    def folder(self) -> str:
        """The folder of the module."""
        return self.module.rpartition("/")[0]


@dataclass(frozen=True, slots=True)
class Maker:
    """A function that makes an error of a text: its name, the error that it makes, and which argument the text is."""

    name: str
    made: ast.Call
    gap: str
    place: int


def error_messages() -> list[ErrorMessage]:
    """The messages of all raised errors, in the order of modules and lines."""
    modules = [
        Module(path, path.relative_to(ROOT).as_posix())
        for package in PACKAGES
        for path in sorted((ROOT / package).rglob("*.py"))
    ]
    ours = _descendants([base for module in modules for base in module.bases])
    makers = {module: {one.name: (one, module) for one in _makers(module, ours)} for module in modules}
    public = {name: maker for named in makers.values() for name, maker in named.items() if not name.startswith("_")}
    messages = [
        ErrorMessage("ConceptDataError" if error == _WITH_FILE else error, text, module.name, line)
        for module in modules
        for error, text, line in _messages(module, ours, public | makers[module])
        if re.search(r"\w", re.sub(r"\{[^}]*\}", "", text))
    ]
    return _with_endings(messages)


def _descendants(bases: Sequence[tuple[str, str]]) -> frozenset[str]:
    """The classes below the root of our errors, from pairs of a class and a base of it."""
    ours = {_TREE}
    while more := {name for name, base in bases if base in ours} - ours:
        ours |= more
    return frozenset(ours)


def _makers(module: Module, errors: frozenset[str]) -> Iterator[Maker]:
    """The functions of a module that make an error of a text that they take."""
    for function in module.functions:
        last = function.body[-1]
        made = last.value if isinstance(last, ast.Return) else None
        if isinstance(made, ast.Call) and last_name(made.func) in errors and made.args:
            names = [argument.arg for argument in function.args.args if argument.arg != "self"]
            for place, name in enumerate(names):
                if name in _TAKEN:
                    yield Maker(function.name, made, placeholder(ast.Name(name)), place)


def _messages(
    module: Module, errors: frozenset[str], makers: Mapping[str, tuple[Maker, Module]]
) -> Iterator[tuple[str, str, int]]:
    """Classes, texts and lines of the errors that a module makes, itself or with a function for it."""
    inside = {id(maker.made) for maker, _ in makers.values()}
    for call in module.calls:
        name = last_name(call.func)
        if name in errors and call.args and id(call) not in inside:
            yield from ((name, text, call.lineno) for text in _texts(module, call))
        elif name in makers and len(call.args) > makers[name][0].place:
            maker, home = makers[name]
            for whole in _texts(home, maker.made):
                for part in module.texts(call.args[maker.place], call):
                    yield last_name(maker.made.func), whole.replace(maker.gap, part), call.lineno


def _texts(module: Module, call: ast.Call) -> list[str]:
    """What the message of an error may read."""
    if last_name(call.func) == _WITH_FILE:
        return [f"{{file}}: {text}" for text in module.texts(call.args[1], call)]
    return module.texts(call.args[0], call)


def _with_endings(messages: Sequence[ErrorMessage]) -> list[ErrorMessage]:
    """The messages as they are read: what errors of a folder are raised again with ends each of them."""
    endings = {one.folder: one.text.removeprefix(_AGAIN) for one in messages if one.text.startswith(_AGAIN)}
    return [
        replace(one, text=one.text + endings.get(one.folder, "")) for one in messages if not one.text.startswith(_AGAIN)
    ]


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
