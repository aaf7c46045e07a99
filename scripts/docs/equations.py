"""Equations as MathML, made while the site is built: browsers show them without a script."""

from __future__ import annotations

from typing import Any

from latex2mathml.converter import convert


def equation(source: str, *_: Any, **__: Any) -> str:  # noqa: ANN401 -- as pymdownx calls the format of a fence
    """The HTML of a fence of LaTeX."""
    mathml = convert(source, display="block")
    return f'<div class="equation" tabindex="0" role="region" aria-label="Equation">{mathml}</div>'
