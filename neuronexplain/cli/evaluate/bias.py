"""``neuronexplain evaluate bias``: Sec. 6.3."""

from __future__ import annotations

from typing import Annotated

import typer

from neuronexplain.cli import console, options
from neuronexplain.vocabulary import INTERVAL

from .measuring import Fresh, Out, say_report


def bias(
    out: Out,
    limit: Annotated[int | None, typer.Option(min=1, help="Test on only this many scenes.")] = None,
    seed: Annotated[int, typer.Option(help="Seed of all scenes.")] = 0,
    batch_size: options.BatchSize = 16,
    fresh: Fresh = False,
    json: options.Json = False,
) -> None:
    """Train on biased and on balanced scenes, and compare accuracy, maps and words (Sec. 6.3).

    Two small networks are trained on generated scenes, which takes minutes; no data is needed.

    Example: neuronexplain evaluate bias --out figures
    """
    from dissection.execution.settings import Execution
    from neuronexplain.studies.bias import Bias, study_bias

    study = Bias(seed=seed, **options.stated(tested=limit))
    with console.progress() as progress:
        result = study_bias(study, out, execution=Execution(batch_size=batch_size, progress=progress), fresh=fresh)
    if json:
        console.write_json(result.to_json())
        return
    say_report(result.measured, INTERVAL)
    say_report(result.words, "")
    for scene in result.sentences:
        for name, sentence in scene.items():
            console.say(f"{name}: {sentence}")
        console.say()
    if result.sentences:
        console.say(f"Picture: {out / 'bias.png'}")
