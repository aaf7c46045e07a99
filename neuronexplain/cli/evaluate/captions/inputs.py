"""Options for photographs with captions."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from neuronexplain.cli import options
from neuronexplain.vocabulary import CaptionDataKind, CaptionSource

if TYPE_CHECKING:
    from neuronexplain.evaluation.ground_truth.language.opening import Captioned

Whose = Annotated[
    CaptionSource, typer.Option("--captions", help="The network's captions (written), or people's (reference).")
]

Limit = Annotated[int | None, typer.Option(min=1, help="Use only this many images, spread evenly.")]


@dataclass(frozen=True, slots=True, kw_only=True)
class CaptionedImages:
    """Photographs with captions."""

    data: Annotated[Path | None, typer.Option(help="Photographs with captions.")] = None
    kind: Annotated[
        CaptionDataKind,
        typer.Option(help="Their layout: generated scenes, COCO's, or captions.csv with the columns image,caption."),
    ] = "described"
    split: Annotated[str | None, typer.Option(help="Which images of COCO.", show_default="val2017")] = None
    words: Annotated[
        Path | None, typer.Option(help="CSV file with the columns word,object, in place of the words that are known.")
    ] = None
    limit: Limit = None
    seed: Annotated[int | None, typer.Option(help="Seed of described scenes.", show_default="0")] = None

    def open(self) -> Captioned:
        """Open the photographs.

        Raises:
            NeuronExplainError: if an option would be ignored.
        """
        from neuronexplain.evaluation.ground_truth.language.opening import open_captioned

        uses = {
            "--data": self.data is None or self.kind != "described",
            "--split": self.split is None or self.kind == "coco",
            "--words": self.words is None or self.kind != "captions",
            "--seed": self.seed is None or self.kind == "described",
        }
        ignored = [option for option, is_used in uses.items() if not is_used]
        options.refuse_ignored(ignored, f"nothing in this evaluation of --kind {self.kind} uses that")
        return open_captioned(
            self.data, kind=self.kind, split=self.split, table=self.words, limit=self.limit, seed=self.seed or 0
        )
