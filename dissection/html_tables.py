"""A table as a notebook shows it: HTML in which everything is escaped, in the notebook's own colours."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING

from .plain_text import visible

if TYPE_CHECKING:
    from collections.abc import Sequence

_CELL = "padding:2px 8px;border-bottom:1px solid rgba(128,128,128,.35);text-align:"


def html_table(caption: str, headings: Sequence[str], rows: Sequence[Sequence[object]], note: str = "") -> str:
    """A table with a caption, and a note below it; colours are those of what is around it, dark or light.

    Args:
        caption: what stands above the table.
        headings: of each column.
        rows: the cells; numbers are set to the right, floats with three digits, ``None`` is left empty.
        note: what stands below it.
    """
    head = "".join(f'<th scope="col" style="{_CELL}left">{_text(heading)}</th>' for heading in headings)
    body = "".join(f"<tr>{''.join(map(_cell, row))}</tr>" for row in rows)
    below = f"<p>{_text(note)}</p>" if note else ""
    return (
        '<div style="color:inherit;background:none;overflow-x:auto"><table style="border-collapse:collapse">'
        f'<caption style="caption-side:top;text-align:left;color:inherit">{_text(caption)}</caption>'
        f"<thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>{below}</div>"
    )


def _cell(value: object) -> str:
    side = "right" if isinstance(value, int | float) else "left"
    shown = "" if value is None else f"{value:.3g}" if isinstance(value, float) else str(value)
    return f'<td style="{_CELL}{side}">{_text(shown)}</td>'


def _text(text: str) -> str:
    return escape(visible(text))
