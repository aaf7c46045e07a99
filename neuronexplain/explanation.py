"""An answer that shows itself: in a notebook, a browser, a file, a figure or a program."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dissection.plain_text import visible

from .answer import Answer

if TYPE_CHECKING:
    import os

    from matplotlib.figure import Figure


class Explanation(Answer):
    """Why the network predicted what it predicted for one image; notebooks show it as the page does."""

    __slots__ = ()

    def __repr__(self) -> str:
        target = self.target
        says = f"{target.label} {target.probability:.1%}"
        units = f"{len(self.top)} neurons for it, {len(self.bottom)} against"
        return visible(f"<Explanation of {self.image}: {says}; {units}>")

    def _repr_html_(self) -> str:
        from .report.page import fragment  # noqa: PLC0415 - templates are loaded where something is shown

        return fragment(self)

    def show(self) -> None:
        """Display the page in a notebook, or open it in a browser.

        Raises:
            OutputError: if there is neither; the message says where the page lies.
        """
        from .report.display import show  # noqa: PLC0415

        show(self)

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the explanation in the form of the path's suffix, whole or not at all.

        Args:
            path: ``.html`` for the page, ``.png`` for the figure, ``.json`` for what :meth:`to_dict` returns; without
                a suffix, a new folder that holds all of them.

        Raises:
            OutputError: if the suffix is another one, the folder holds something already, or nothing can be written.
        """
        from .report.saving import save  # noqa: PLC0415

        save(self, path)

    def to_dict(self) -> dict[str, object]:
        """What ``explain --json`` prints, as plain values; a number that is not finite is ``None``."""
        from .serialise import to_json  # noqa: PLC0415

        return to_json(self, heatmap=None)

    def figure(self) -> Figure:
        """The photograph, its heat map, and where the named neurons light up, under the sentence.

        The figure is no part of pyplot's state: nothing needs to be closed.
        """
        from .pictures.figure import figure  # noqa: PLC0415

        return figure(self)
