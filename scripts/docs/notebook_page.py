"""A notebook as a page: its text as it is, and its code as code. What the code writes is seen where it is run."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path


def notebook_page(path: Path) -> str:
    """The Markdown of a notebook, with a link to the notebook itself below its heading."""
    cells = json.loads(path.read_text("utf-8"))["cells"]
    heading, *others = [_markdown(cell["cell_type"], "".join(cell["source"])) for cell in cells]
    title, _, introduction = heading.partition("\n")
    return "\n\n".join([title, introduction.strip(), f"[Download the notebook]({path.name})", *others]) + "\n"


def _markdown(kind: str, source: str) -> str:
    return f"```python\n{source}\n```" if kind == "code" else source
