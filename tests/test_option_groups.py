"""Options that commands share as groups: what typer sees of them, and what a command gets."""

from dataclasses import dataclass
from inspect import signature
from typing import Annotated, Literal, get_type_hints

import pytest
import typer

from neuronexplain.cli.groups import grouped


@dataclass(frozen=True, kw_only=True)
class Ink:
    colour: Annotated[Literal["red", "blue"], typer.Option(help="Of the ink.")] = "red"


@dataclass(frozen=True, kw_only=True)
class Pen:
    width: Annotated[int, typer.Option(min=1)]
    ink: Ink


CALLS = []


@grouped
def draw(*, what: Annotated[str, typer.Argument()], pen: Pen, twice: bool = False) -> None:
    """Draw something."""
    CALLS.append((what, pen, twice))


def test_a_commands_signature_has_the_options_of_its_groups_in_their_places():
    seen = signature(draw).parameters
    assert list(seen) == ["what", "width", "colour", "twice"]
    assert seen["width"].annotation == get_type_hints(Pen, include_extras=True)["width"]
    assert seen["colour"].default == "red"
    assert draw.__doc__ == "Draw something."


def test_a_command_gets_its_groups_as_values():
    app = typer.Typer()
    app.command()(draw)
    app(["a house", "--width", "2", "--colour", "blue", "--twice"], standalone_mode=False)
    app(["a tree", "--width", "1"], standalone_mode=False)
    assert [
        ("a house", Pen(width=2, ink=Ink(colour="blue")), True),
        ("a tree", Pen(width=1, ink=Ink()), False),
    ] == CALLS


def test_two_groups_cannot_share_an_option():
    def write(*, ink: Ink, paper: Ink) -> None: ...

    with pytest.raises(ValueError, match="duplicate parameter name: 'colour'"):
        grouped(write)
