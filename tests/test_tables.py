"""Tables for people: numbers stay whole, and a narrow terminal goes without what it can spare."""

import re
import sys

import pytest

from neuronexplain.cli import console

ROWS = [
    {"unit": 7, "name": "office building", "q": 1.134567e-24, "area": 24540, "best": "building"},
    {"unit": 123, "name": "sea", "q": 0.0312, "area": 7, "best": "sea"},
]
COLUMNS = {"unit": "neuron", "name": "name", "q": "q", "area": "intersection", "best": "best concept"}


@pytest.fixture
def terminal(monkeypatch):
    def of(width: int) -> None:
        monkeypatch.setattr(sys.stdout, "isatty", lambda: True, raising=False)
        monkeypatch.setenv("COLUMNS", str(width))
        monkeypatch.setenv("TERM", "xterm")

    return of


@pytest.mark.parametrize(
    ("width", "left_out"), [(100, []), (62, []), (50, ["intersection"]), (36, ["intersection", "best concept"])]
)
def test_a_narrow_terminal_goes_without_what_it_can_spare(terminal, capsys, width, left_out):
    terminal(width)
    console.write_rows(ROWS, COLUMNS, as_json=False, as_csv=False, spare=("area", "best"))
    told = capsys.readouterr()
    lines = [re.sub(r"\x1b\[[0-9;]*m", "", line) for line in told.out.splitlines()]
    assert max(map(len, lines)) <= width
    for number in ("1.13e-24", "123", "0.0312"):
        assert any(number in line for line in lines)
    for heading in ("intersection", "best"):
        assert any(heading in line for line in lines) is not any(heading in name for name in left_out)
    said = f"Left out for want of room: {', '.join(left_out)}." if left_out else ""
    assert told.err.startswith(said)
    assert bool(told.err) is bool(left_out)


def test_programs_get_everything(terminal, capsys):
    terminal(20)
    console.write_rows(ROWS, COLUMNS, as_json=False, as_csv=True, spare=("area", "best"))
    assert capsys.readouterr().out.splitlines()[0] == "unit,name,q,area,best"
