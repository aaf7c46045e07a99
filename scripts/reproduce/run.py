"""Repeats the experiments of the Grad-CAM paper and writes reproduction/report.md, with tables and pictures.

On networks of the generated scenes, and on SqueezeNets, EfficientNet-Lite0 and photographs if ../shared/data exists.
``--small`` uses fewer scenes: a few minutes on two cores. A run that was stopped is resumed when it is started again.
"""

from __future__ import annotations

import argparse
import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from cases import SMALL, Size, worlds
from paper import PAPER
from pictures import counterfactual_sheet, layers_sheet, methods_sheet, usable
from report import Measured, document, opposites, summary
from speech import SMALL_SPEECH, Speech, SpeechSize

from db import NameStore
from dissection.errors import ConceptDataError
from dissection.execution.settings import Execution
from dissection.files.atomic import replace_file
from dissection.vocabulary import MIN_IOU
from neuronexplain.building import build
from neuronexplain.cli import console
from neuronexplain.evaluation import protocols
from neuronexplain.evaluation.baselines import BASELINES, CENTRE, NOTHING, WHOLE
from neuronexplain.evaluation.runner import evaluate
from neuronexplain.evaluation.tables import Report
from neuronexplain.pictures.overlay import save_picture
from neuronexplain.studies.adversarial import Adversarial
from neuronexplain.studies.attack import Attack
from neuronexplain.studies.bias import Bias, study_bias

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from cases import World

    from neuronexplain.evaluation.ground_truth.truth import Ground
    from neuronexplain.evaluation.protocols.protocol import Protocol
    from neuronexplain.methods import Method
    from neuronexplain.vocabulary import ViewKind

MAPS = (
    "grad-cam",
    "guided-grad-cam",
    "deconv-grad-cam",
    "guided-backprop",
    "deconvolution",
    "gradient",
    "cam",
    "c-mwp",
)
FEW_MAPS = ("grad-cam", "guided-grad-cam", "guided-backprop", "c-mwp")
RIVALS = ("grad-cam", "cam", "c-mwp", "gradient")
"""The methods that the paper localises with."""

ADDED = {"localisation": (CENTRE, NOTHING), "pointing": (WHOLE,), "insertion-deletion": (CENTRE,)}
"""By protocol, the baselines that its table lacks; other tables lack all."""


BIAS_STUDY, SPEECH = "bias", "speech"
"""The folders of the study of bias, and of captions and answers."""


class Run:
    """One run of the report.

    Args:
        out: the folder for all output.
        small: fewer scenes, and no photographs.
        execution: batch size and progress.
    """

    def __init__(self, out: Path, execution: Execution, *, small: bool) -> None:
        self._out, self._execution, self._small = out, execution, small
        self.tables: list[Measured] = []
        self.pictures: list[tuple[str, str]] = []
        self.notes: list[str] = []

    def world(self, world: World) -> None:
        """Measure every protocol, and draw every picture, of one network on one set of images."""
        methods, reasons = usable(world.network)
        self.notes += [f"{name} on {world.title}: {reason}" for name, reason in reasons.items()]
        all_maps = [methods[name] for name in (RIVALS if world.rivals_only else MAPS) if name in methods]
        few_maps = [methods[name] for name in FEW_MAPS if name in methods]
        whole, some = world.ground, world.some(world.few)
        if whole.objects:
            for protocol in (protocols.Localisation(), protocols.Pointing(), protocols.Seeds(), protocols.Ratio()):
                self._measure(world, protocol, all_maps, whole)
        self._measure(world, protocols.OcclusionCorrelation(), all_maps, some)
        if not world.rivals_only:
            self._variants(world, methods)
            self._measure(world, protocols.InsertionDeletion(steps=10 if self._small else 25), few_maps, some)
            self._measure(world, protocols.UnitAblation(self._named(world)), [], whole)
            self._draw(world, list(methods.values()))

    def skip(self, reason: str) -> None:
        """Note what is left out, and say so."""
        self.notes.append(reason)
        print(f"left out: {reason}", file=sys.stderr)

    def bias(self) -> None:
        """Carry out the study of Sec. 6.3."""
        study = Bias(tested=120, named=240) if self._small else Bias()
        results = study_bias(study, self._out / BIAS_STUDY, execution=self._execution)
        columns = {"scene": "the scene", **{name: f"{name}: what the network says" for name in study.stagings}}
        sentences = Report("What the two networks say of the same scenes, Sec. 7", columns, results.sentences)
        for name, report in (("bias", results.measured), ("concepts", results.words), ("sentences", sentences)):
            self.tables.append(Measured(name, "the small networks", "staged scenes", report))
        if results.sentences:
            self.pictures.append(("Bias, as Fig. 8", "bias/bias.png"))

    def speech(self, size: SpeechSize) -> None:
        """Measure captions and answers, Section 8, and write the report after each table."""
        for measured in Speech(self._out, size, self._execution, console.note, self.skip).tables():
            self.tables.append(measured)
            self.write()

    def write(self) -> Path:
        """Write the report, and return its path."""
        path = self._out / "report.md"
        replace_file(path, document(self.tables, self.pictures, self.notes).encode())
        return path

    def _variants(self, world: World, methods: Mapping[str, Method]) -> None:
        """Variants of Grad-CAM, and maps of images that fool the network."""
        whole, some = world.ground, world.some(world.few)
        if not whole.objects:
            return
        ablations = [methods[name] for name in PAPER["localisation-ten"][2] if name in methods]
        crops = ("ten", some) if world.ten else ("whole", whole)
        self._measure(world, protocols.Localisation(), ablations, crops[1], view=crops[0], name="localisation-ten")
        few_maps = [methods[name] for name in FEW_MAPS if name in methods]
        attack = Attack(radius=world.radius, step=world.radius / 16)
        self._measure(world, Adversarial(attack), few_maps, some)
        weak = replace(attack, confidence=0.9)
        self._measure(world, Adversarial(weak, pictures=0), few_maps, some, name="adversarial-weak")

    def _measure(
        self,
        world: World,
        protocol: Protocol,
        methods: Sequence[Method],
        ground: Ground,
        *,
        view: ViewKind = "whole",
        name: str = "",
    ) -> None:
        """Measure one table; ``name`` tells several measurements of a protocol apart."""
        folder = self._out / world.name / name
        methods = [*methods, *ADDED.get(protocol.name, BASELINES)] if "methods" in protocol.needs else methods
        try:
            report = evaluate(protocol, world.network, methods, ground, folder, view=view, execution=self._execution)
        except ConceptDataError as error:
            self.notes.append(f"{protocol.name} on {world.title}: {error}")
            return
        if view == "ten":
            report = replace(report, title=f"{report.title}, ten crops")
        self.tables.append(Measured(name or protocol.name, world.title, ground.name, report))

    def _named(self, world: World) -> tuple[int, ...]:
        with NameStore.create(str(self._out / "names.db")) as store:
            run = build(world.network, world.concepts, store, quantile=world.quantile, execution=self._execution).run
            return tuple(sorted(store.names(run, MIN_IOU)))

    def _draw(self, world: World, methods: Sequence[Method]) -> None:
        sheets = {
            "methods": ("All methods", methods_sheet(world, methods)),
            "counterfactual": ("Counterfactuals, as Fig. 3", counterfactual_sheet(world)),
            "layers": ("Every stage, as Fig. 13", layers_sheet(world)),
        }
        for name, (caption, picture) in sheets.items():
            save_picture(picture, self._out / world.name / f"{name}.png")
            self.pictures.append((f"{caption}: {world.title}", f"{world.name}/{name}.png"))
        for file in sorted((self._out / world.name / "adversarial").glob("*.png")):
            self.pictures.append((f"Adversarial, as Fig. 7: {world.title}", f"{world.name}/adversarial/{file.name}"))


def main() -> None:
    """Measure, draw, write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    size = parser.add_mutually_exclusive_group()
    size.add_argument("--small", action="store_true", help="fewer scenes, and no photographs")
    size.add_argument("--images", type=_count, help="images of each network; a quarter of them if an image takes long")
    parser.add_argument(
        "--only", action="append", metavar="NAME", help="measure only this network (repeatable): its folder's name"
    )
    parser.add_argument("--out", type=Path, default=Path("reproduction"))
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    names = {BIAS_STUDY, SPEECH}
    with console.progress() as progress:
        run = Run(options.out, Execution(batch_size=16, progress=progress), small=options.small)
        for world in worlds(options.out, _size(options), run.skip):
            names.add(world.name)
            if _is_chosen(world.name, options):
                run.world(world)
                run.write()
        if _is_chosen(SPEECH, options):
            run.speech(_speech_size(options))
        if _is_chosen(BIAS_STUDY, options):
            run.bias()
    if unknown := set(options.only or ()) - names:
        parser.error(
            f"--only {', '.join(sorted(unknown))}: there is no such network here; name {', '.join(sorted(names))}"
        )
    print(run.write())
    print(summary(run.tables), file=sys.stderr)
    for line in opposites(run.tables):
        print(f"not as in the paper: {line}", file=sys.stderr)


def _is_chosen(name: str, options: argparse.Namespace) -> bool:
    return options.only is None or name in options.only


def _count(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text} is no number of images; give 1 or more")
    return int(text)


def _size(options: argparse.Namespace) -> Size:
    if options.images is None:
        return SMALL if options.small else Size()
    counts = (options.images, max(options.images // 4, 1))
    return Size(scenes=counts, photographs=counts, ten=False)


def _speech_size(options: argparse.Namespace) -> SpeechSize:
    if options.images is None:
        return SMALL_SPEECH if options.small else SpeechSize()
    return replace(SpeechSize(), scenes=(options.images, max(options.images // 4, 1)))


if __name__ == "__main__":
    main()
