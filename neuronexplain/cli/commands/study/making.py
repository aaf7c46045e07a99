"""What ``study make discrimination`` and ``study make trust`` share: images, amounts, and what they say at the end."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from neuronexplain.cli import console, options
from neuronexplain.cli.evaluate.inputs import AnnotatedImages
from neuronexplain.counts import count as count_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from dissection.networks.network import Network
    from neuronexplain.evaluation.ground_truth.truth import Ground
    from neuronexplain.explainer import Explainer
    from neuronexplain.methods import Method
    from neuronexplain.studies.human.designs import Design
    from neuronexplain.studies.human.stimuli import Subject

Layer = Annotated[str | None, typer.Option(help="Layer of Grad-CAM; by default the last rectified map.")]
Methods = Annotated[
    list[options.Method] | None,
    typer.Option(
        "--method",
        help="What is shown (repeatable).",
        show_default="the paper's four, and sentences where a database names the neurons",
    ),
]

PAPERS_FOUR = ("deconvolution", "guided-backprop", "deconv-grad-cam", "guided-grad-cam")
"""The visualisations of Sec. 5.1."""


def subject_of(named: tuple[Network, Explainer | None], methods: Sequence[Method]) -> Subject:
    """A network to be judged, with what is shown of it."""
    from neuronexplain.studies.human.stimuli import Subject

    network, explainer = named
    return Subject(network, methods, explainer)


def methods_of(names: Sequence[options.Method] | None) -> list[Method]:
    """The methods of these names, or the paper's four."""
    from neuronexplain.methods import METHODS

    return [METHODS[name] for name in options.method_names(names) or PAPERS_FOUR]


@dataclass(frozen=True, slots=True, kw_only=True)
class Making:
    """Which images are asked about, how often, and where the study goes."""

    images: AnnotatedImages
    ratings: Annotated[int, typer.Option(min=1, help="Ratings of each question.")] = 9
    per_rater: Annotated[int, typer.Option(min=1, help="How many questions a rater is asked at most.")] = 75
    out: Annotated[Path, typer.Option("--out", help="Folder for the study; the same command resumes.")]
    json: options.Json = False

    def ground(self, classes: Sequence[str]) -> Ground:
        """The images, matched to a network's classes."""
        return self.images.open(classes, objects=True, masks=False, draws=True)

    def run(self, design: Design, ground: Ground, count: int) -> None:
        """Make the study, with progress, and say what comes next."""
        from dissection.execution.settings import Execution
        from neuronexplain.studies.human.making import Extent, make_study

        extent = Extent(count, self.ratings, self.per_rater, self.images.random_seed)
        with console.progress() as progress:
            study = make_study(design, ground, self.out, extent, execution=Execution(progress=progress))
        needed = len(study.questions) * self.ratings
        if self.json:
            shown = study.heading["visualisations"]
            console.write_json(
                {"study": study.digest, "questions": len(study.questions), "ratings": needed, "visualisations": shown}
            )
            return
        asked = f"{count_of(len(study.questions), 'question')} about {count_of(count, 'image')} of {ground.name}"
        console.say(f"{asked}; {count_of(needed, 'rating')} to give.")
        console.say(f"Ask people: neuronexplain study serve {self.out}")
        console.say(
            f"Ask elsewhere: {self.out / 'public'} has the pictures and questions.csv; keep the rest to yourself."
        )
