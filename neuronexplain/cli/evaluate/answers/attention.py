"""``neuronexplain evaluate answers attention``: Sec. 8.2."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from neuronexplain.cli.evaluate.spoken import Methods, SpeakingNetwork, methods_named
from neuronexplain.cli.groups import grouped

from .inputs import Limit


@grouped
def attention(
    *,
    data: Annotated[
        Path, typer.Option(help="Photographs with questions.csv: image,question,answer,id[,kind].", show_default=False)
    ],
    attention: Annotated[
        Path, typer.Option(help="Grey pictures of where people looked: ID_1.png, ...", show_default=False)
    ],
    limit: Limit = None,
    method: Methods = None,
    speaker: SpeakingNetwork,
) -> None:
    """Correlate maps of answers with where people look to answer the same questions, as in VQA-HAT (Sec. 8.2).

    Example: neuronexplain evaluate answers attention --network vqa.py:model --data val --attention hat --out figures
    """
    from neuronexplain.evaluation.ground_truth.language.opening import open_asked
    from neuronexplain.evaluation.protocols import AnswerAttention

    ground = open_asked(data, kind="questions", gazes=attention, limit=limit)
    speaker.run(AnswerAttention(), ground, methods_named(method))
