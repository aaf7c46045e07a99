"""Options for photographs with questions."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from neuronexplain.cli import options
from neuronexplain.vocabulary import QuestionDataKind

if TYPE_CHECKING:
    from neuronexplain.evaluation.ground_truth.truth import Ground

Limit = Annotated[int | None, typer.Option(min=1, help="Use only this many images, spread evenly.")]


@dataclass(frozen=True, slots=True, kw_only=True)
class AskedImages:
    """Photographs with questions."""

    data: Annotated[Path | None, typer.Option(help="Photographs with questions.")] = None
    kind: Annotated[
        QuestionDataKind,
        typer.Option(
            help="Their layout: generated scenes, or questions.csv with the columns image,question,answer[,kind]."
        ),
    ] = "described"
    limit: Limit = None
    seed: Annotated[int | None, typer.Option(help="Seed of described scenes.", show_default="0")] = None

    def open(self) -> Ground:
        """Open the photographs.

        Raises:
            NeuronExplainError: if an option would be ignored.
        """
        from neuronexplain.evaluation.ground_truth.language.opening import open_asked

        uses = {
            "--data": self.data is None or self.kind != "described",
            "--seed": self.seed is None or self.kind == "described",
        }
        ignored = [option for option, is_used in uses.items() if not is_used]
        options.refuse_ignored(ignored, f"nothing in this evaluation of --kind {self.kind} uses that")
        return open_asked(self.data, kind=self.kind, limit=self.limit, seed=self.seed or 0)
