"""Whether a command line could be typed: its program, its commands and its options, without running it."""

from __future__ import annotations

import re
import shlex
import tomllib
from functools import cache
from typing import Any

import typer
from pages import ROOT

from neuronexplain.cli.app import app

UsageError = typer.BadParameter.__bases__[0]
"""What typer raises for a command line that is wrong; it exports only what is derived from it."""

SHELL = frozenset({".", "cat", "cd", "cp", "gh", "git", "head", "ls", "mkdir", "mv"})
"""Programs that every reader has."""


@cache
def neuronexplain() -> Any:
    return typer.main.get_command(app)


@cache
def commands() -> dict[tuple[str, ...], frozenset[str]]:
    """The options of each command, by its words; of a group, those of all that is in it."""
    return dict(_commands((), neuronexplain()))


def _commands(before: tuple[str, ...], command: Any) -> list[tuple[tuple[str, ...], frozenset[str]]]:
    options = {name for parameter in command.params for name in (*parameter.opts, *parameter.secondary_opts)}
    lines = [
        line for name, inner in getattr(command, "commands", {}).items() for line in _commands((*before, name), inner)
    ]
    return [(before, frozenset(options | {"--help"}).union(*(below for _, below in lines))), *lines]


def command_of(words: list[str]) -> tuple[str, ...]:
    """The longest command that the words begin with."""
    return max((name for name in commands() if tuple(words[: len(name)]) == name), key=len)


@cache
def options_of_scripts() -> frozenset[str]:
    """The options of the repository's scripts."""
    texts = (path.read_text() for path in (ROOT / "scripts").rglob("*.py"))
    return frozenset(option for text in texts for option in re.findall(r'"(--[a-z][a-z0-9-]*)"', text))


def check(line: str) -> None:
    """Check a command line that is not run.

    Raises:
        AssertionError: if there is no such program, command, option, package or target.
    """
    words = shlex.split(line)
    program = words[0]
    if program == "neuronexplain":
        _check_command(words[1:])
    elif program == "torchrun":
        from torch.distributed.run import get_args_parser  # noqa: PLC0415 -- it takes a second

        started = get_args_parser().parse_args(words[1:])
        assert started.no_python, f"{line}: torchrun would take {started.training_script} for a file of Python"
        check(shlex.join([started.training_script, *started.training_script_args]))
    elif program == "pip" or words[:2] == ["uv", "pip"]:
        _check_installed(words[words.index("pip") + 1 :], line)
    elif program == "make":
        targets = re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE)
        assert set(words[1:]) <= set(targets), f"the Makefile has no such target: {line}"
    elif program in {"python", "scripts/with_postgres"}:
        script = words[1] if program == "python" else program
        assert (ROOT / script).is_file(), f"there is no {script}: {line}"
        assert {word for word in words if word.startswith("--")} <= options_of_scripts(), line
    elif program not in SHELL:
        raise AssertionError(f"nobody knows whether this could be typed: {line}")


def _check_command(words: list[str]) -> None:
    name, command = command_of(words), neuronexplain()
    for word in name:
        command = command.commands[word]
    rest = words[len(name) :]
    if rest in (["--help"], ["--version"]):
        return
    if hasattr(command, "commands"):
        is_command = command.invoke_without_command and (not rest or rest[0].startswith("-"))
        assert is_command, f"there is no such command: {shlex.join(words)}"
    try:
        command.make_context(" ".join(name), rest)
    except UsageError as error:
        raise AssertionError(f"{shlex.join(words)}: {error}") from error


@cache
def _declared() -> tuple[frozenset[str], frozenset[str]]:
    """The extras that there are, and the packages that are installed with any of them."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    extras = project["optional-dependencies"]
    requirements = (*project["dependencies"], *(one for packages in extras.values() for one in packages))
    return frozenset(extras), frozenset(re.split(r"[\[<>=]", one)[0] for one in requirements) | {"neuronexplain"}


def _check_installed(words: list[str], line: str) -> None:
    assert words[0] == "install", line
    extras, packages = _declared()
    for package in (word for word in words[1:] if not word.startswith("-") and not word.startswith("http")):
        name, _, asked = package.removesuffix("]").partition("[")
        assert name in packages | {"."}, f"no extra installs {name}: {line}"
        assert set(filter(None, asked.split(","))) <= extras, f"there is no such extra: {line}"
