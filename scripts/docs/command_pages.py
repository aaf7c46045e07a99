"""The reference of the command line: a page for each command or group of commands, made from the app itself."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import typer
from markdown_text import plain, table

from neuronexplain.cli.app import app

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

FOLDER = "reference/command-line"
"""Where the pages lie below ``docs/``."""


@dataclass(frozen=True, slots=True)
class ShownCommand:
    """A command or a group as it is typed, such as ``neuronexplain concepts of``, with what typer knows of it."""

    name: str
    command: Any

    @property
    def commands(self) -> list[ShownCommand]:
        """The commands of a group, in the order of its help."""
        members = getattr(self.command, "commands", {})
        return [ShownCommand(f"{self.name} {name}", member) for name, member in members.items()]

    @property
    def does_something(self) -> bool:
        """Whether it can be run: a group often only holds commands."""
        return not self.commands or self.command.invoke_without_command

    @property
    def anchor(self) -> str:
        """The id of its heading; every page has its own headings, so that the last words are enough."""
        return self.name.removeprefix("neuronexplain ").replace(" ", "-")

    @property
    def page(self) -> str:
        """The file of the page that it is on."""
        return f"{self.name.split()[1]}.md"

    @property
    def paragraphs(self) -> list[str]:
        """The paragraphs of its help, without examples."""
        return [text for text in self._help() if not text.startswith("Example:")]

    @property
    def examples(self) -> list[str]:
        """The command lines of its examples."""
        return [text.removeprefix("Example:").strip() for text in self._help() if text.startswith("Example:")]

    def _help(self) -> list[str]:
        return [" ".join(text.split()) for text in (self.command.help or "").split("\n\n") if text.strip()]


def command_pages() -> Mapping[str, str]:
    """The Markdown of each page by its path below ``docs/``, the overview first."""
    root = ShownCommand("neuronexplain", typer.main.get_command(app))
    pages = {"index.md": _overview(root)}
    pages |= {command.page: "\n\n".join(_section(command, level=1)) for command in root.commands}
    return {f"{FOLDER}/{name}": f"{text}\n" for name, text in pages.items()}


def runnable(command: ShownCommand) -> Iterator[ShownCommand]:
    """A command, or those of a group, that can be run."""
    if command.does_something:
        yield command
    for member in command.commands:
        yield from runnable(member)


def _overview(root: ShownCommand) -> str:
    rows = [
        (f"[`{command.name}`]({command.page}#{command.anchor})", plain(command.paragraphs[0]))
        for command in runnable(root)
        if command.name != root.name
    ]
    introduction = (
        "Every command has `--help`, which says what this part says. An error is one line, and the exit status is 2; "
        "see [errors](../errors.md). `--json` and `--csv` write for programs what is otherwise written for people."
    )
    return "\n\n".join(["# Command line", introduction, table(("command", "does"), rows)])


def _section(command: ShownCommand, level: int) -> Iterator[str]:
    """A command's heading, help, example, arguments and options, and those of a group's commands after it."""
    yield f"{'#' * level} {command.name} {{ #{command.anchor} }}"
    yield from map(plain, command.paragraphs)
    if command.does_something:
        context = typer.Context(command.command, info_name=command.name)
        usage = command.command.get_usage(context).removeprefix("Usage:").strip()
        if command.examples:
            yield "\n".join(["```sh", *command.examples, "```"])
        yield f"Usage: `{usage}`"
        yield from _parameters(command, context)
    for member in command.commands:
        yield from _section(member, min(level + 1, 3))


def _parameters(command: ShownCommand, context: typer.Context) -> Iterator[str]:
    """A table of the arguments and one of the options, where there are any."""
    for kind in ("argument", "option"):
        parameters = [one for one in command.command.get_params(context) if one.param_type_name == kind]
        records = [one.get_help_record(context) for one in parameters if one.name != "help"]
        if rows := [_row(*record) for record in records if record]:
            yield table((kind, "what", "default"), rows)


def _row(spelling: str, help_text: str) -> tuple[str, str, str]:
    """The cells of an argument or option, from what typer says of it: ``--top <int range>`` and its help.

    >>> _row("--top <int range>", "How many neurons.  [default: 5; x>=1]")
    ('`--top`', 'How many neurons. <small>`int`, ≥ 1</small>', '`5`')
    >>> _row("IMAGE... <list[Path]>", "Photographs.  [required]")
    ('`IMAGE...`', 'Photographs. <small>`path`, repeatable</small>', '*required*')
    """
    names, metavar = re.fullmatch(r"(.*?)(?: (<.*>|[A-Z]+))?", spelling).groups()  # type: ignore[union-attr]
    what, _, facts = help_text.rstrip("]").partition("  [") if help_text.endswith("]") else (help_text, "", "")
    default, limits = "", ""
    for fact in facts.split("; ") if facts else []:
        if fact.startswith("default: "):
            default = f"`{fact.removeprefix('default: ').strip('()')}`"
        elif fact == "required":
            default = "*required*"
        else:
            limits = fact.replace("<=", " ≤ ").replace(">=", " ≥ ").removeprefix("x").strip()
    spellings = ", ".join(f"`{name}`" for name in re.split(", | / ", names))
    value = ", ".join(part for part in (_value(metavar or ""), limits) if part)
    return spellings, f"{plain(what)} <small>{value}</small>" if value else plain(what), default


def _value(metavar: str) -> str:
    """What a value is, from typer's ``<list[a|b]>``, ``<int range>`` or ``CLASS``; nothing for a flag."""
    inner = metavar.strip("<>")
    several = re.fullmatch(r"list\[(.*)\]", inner)
    inner = (several[1] if several else inner).removesuffix(" range")
    inner = {"": "", "bool": ""}.get(inner, inner)
    choices = ", ".join(f"`{choice.lower()}`" for choice in inner.split("|") if choice)
    return f"{choices}, repeatable" if several else choices
