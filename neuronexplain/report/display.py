"""Shows an explanation where its user is: in a notebook, or in a browser."""

from __future__ import annotations

import webbrowser
from pathlib import Path
from tempfile import mkdtemp
from typing import TYPE_CHECKING

from dissection.errors import OutputError
from neuronexplain.progress import is_notebook

from .page import fragment
from .saving import save

if TYPE_CHECKING:
    from neuronexplain.caption import AnyAnswer


def show(explanation: AnyAnswer) -> None:
    """Display an explanation in the notebook that this process serves, or else open its page in a browser.

    Raises:
        OutputError: if no browser can be opened; the page is written nevertheless.
    """
    if is_notebook():
        from IPython.display import HTML, display  # pyright: ignore[reportMissingImports] # noqa: PLC0415 -- there in a notebook

        display(HTML(fragment(explanation)))
        return
    page = Path(mkdtemp(prefix="neuronexplain-")) / "explanation.html"  # the browser reads it when this has returned
    save(explanation, page)
    if not webbrowser.open(page.as_uri()):
        raise OutputError(f"no browser can be opened here; open {page}")
