"""A figure of matplotlib that notebooks show: other figures they show only where pyplot is at work."""

from __future__ import annotations

from io import BytesIO

from matplotlib.figure import Figure


class NotebookFigure(Figure):
    """A figure that shows itself as a picture at the end of a notebook's cell."""

    def _repr_png_(self) -> bytes:
        encoded = BytesIO()
        self.savefig(encoded, format="png")
        return encoded.getvalue()
