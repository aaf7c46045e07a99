"""Answers that show themselves: in a notebook, a browser, a file, a figure or a program."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from dissection.plain_text import visible

from .answer import Answer, AnswerPair
from .caption import CaptionAnswer

if TYPE_CHECKING:
    import os

    from matplotlib.figure import Figure

    from .caption import AnyAnswer


class _Shown:
    """What an answer, or a pair of answers, shows of itself. Whatever draws or writes is loaded when it is needed."""

    __slots__ = ()

    def _repr_html_(self) -> str:
        from .report.page import fragment  # noqa: PLC0415

        return fragment(self._answer)

    def show(self) -> None:
        """Display the page in a notebook, or open it in a browser.

        Raises:
            OutputError: if there is neither; the message says where the page lies.
        """
        from .report.display import show  # noqa: PLC0415

        show(self._answer)

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write it in the form of the path's suffix, whole or not at all.

        Args:
            path: ``.html`` for the page, ``.png`` for the figure, ``.json`` for what :meth:`to_dict` returns; without
                a suffix, a new folder that holds all of them.

        Raises:
            OutputError: if the suffix is another one, the folder holds something already, or nothing can be written.
        """
        from .report.saving import save  # noqa: PLC0415

        save(self._answer, path)

    def to_dict(self) -> dict[str, object]:
        """What ``explain --json`` prints, as plain values; a number that is not finite is ``None``."""
        from .serialise import to_value  # noqa: PLC0415

        return to_value(self._answer)

    def figure(self) -> Figure:
        """The photograph, its heat maps, and where the named neurons light up, under what is said.

        The figure is no part of pyplot's state: nothing needs to be closed.
        """
        from .pictures.figure import figure  # noqa: PLC0415

        return figure(self._answer)

    @property
    def _answer(self) -> AnyAnswer:
        return cast("AnyAnswer", self)


class Explanation(_Shown, Answer):
    """Why the network predicted what it predicted for one image; notebooks show it as the page does."""

    __slots__ = ()

    def __repr__(self) -> str:
        target = self.target
        says = f"{target.label} {target.probability:.1%}"
        units = f"{len(self.top)} {self.noun}s for it, {len(self.bottom)} against"
        return visible(f"<Explanation of {self.image}: {says}; {units}>")


class Comparison(_Shown, AnswerPair):
    """Why the network gives two classes the scores it gives them for one image, and what tells them apart."""

    __slots__ = ()

    def __repr__(self) -> str:
        classes = " and ".join(f"{answer.target.label} {answer.target.probability:.1%}" for answer in self.answers)
        return visible(f"<Comparison of {self.image}: {classes}>")


class ExplainedCaption(_Shown, CaptionAnswer):
    """Why a captioner says the words of a caption of one image."""

    __slots__ = ()

    def __repr__(self) -> str:
        explained = ", ".join(word.text for word, _ in self.explained) or "none"
        return visible(f"<ExplainedCaption of {self.image}: “{self.caption}”; words explained: {explained}>")
