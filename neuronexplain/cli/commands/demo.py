"""``neuronexplain demo``: the whole job, on generated scenes and the networks that come with the package."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from dissection.vocabulary import MIN_IOU
from neuronexplain.cli import console
from neuronexplain.cli.lost_readers import outlasting_readers

from .build import summarise

if TYPE_CHECKING:
    from collections.abc import Iterator

    from PIL import Image

    from db import NameStore
    from db.records import Run
    from dissection.execution.settings import Progress
    from neuronexplain.caption import AnyAnswer
    from neuronexplain.report.sections import ClassSection, NeuronCard

DEMO_SCENES = 600
"""Number of scenes that the neurons are named with."""

DEMO_QUANTILE = 0.0075
"""Wide enough for concepts that cover much of a few hundred scenes, and so narrow that of things, not of what surrounds
them, most is within the masks."""

DESCRIBED_SCENES = 300
"""Number of described scenes that the neurons of the captioner and the answerer are named with."""

_SEED = 1
_UNSEEN = 2
_CARDS = 24
_QUERIED = 10


@outlasting_readers()
def demo(
    out: Annotated[Path, typer.Option(help="Folder for the scenes, the database, the pictures and the page.")] = Path(
        "neuronexplain-demo"
    ),
) -> None:
    """Name a small network's neurons with generated scenes, explain it on new scenes, and write a page about it.

    Example: neuronexplain demo --out demo
    """
    from db import NameStore
    from dissection.concepts.layouts import open_concepts
    from dissection.execution.settings import Execution
    from dissection.networks.opening import open_network
    from neuronexplain.building import build
    from neuronexplain.explainer import Explainer
    from neuronexplain.listings import run_facts
    from neuronexplain.report.folder import PAGE, write_folder

    network = open_network("scenes")
    database = out / "scenes.db"
    with console.progress() as progress:
        if not (out / "scenes").is_dir():
            _draw(out / "scenes", progress)
        with NameStore.create(database) as store:
            execution = Execution(scratch=out / "unfinished", progress=progress)
            run = build(network, open_concepts(out / "scenes"), store, quantile=DEMO_QUANTILE, execution=execution).run
    with NameStore.open(database) as store:
        summarise(store, run)
        explainer = Explainer.from_store(network, store, run=run)
        console.say()
        console.say("New scenes, and why the network says what it says:")
        console.say()
        explanations: list[AnyAnswer] = []
        unseen = dict(_unseen(out / "photographs", len(network.classes)))
        true_classes = {path: number for number, path in enumerate(unseen)}
        for explanation in explainer.explain(unseen.items(), true_class=true_classes.__getitem__):
            explanations.append(explanation)
            console.say(f"  {explanation.image}")
            console.say(f"    {explanation.sentence}")
            console.say()
        sections = [_section(store, run, index) for index in range(len(run.classes))]
        _query(sections[0])
        console.say()
        spoken, about = _spoken(out)
        write_folder(
            out,
            [*explanations, *spoken],
            title="Why does the network say so?",
            facts={**run_facts(run, named=len(explainer.names)), "Captions and answers": about},
            classes=sections,
            neurons=_cards(store, run),
            replace=True,
        )
    console.say()
    console.say(f"Look at the page: {out / PAGE}")
    console.say(f"Ask the database: neuronexplain concepts of {run.classes[-1]} --db {database}")
    console.say(f"Explain a photograph: neuronexplain explain PHOTOGRAPH --db {database} --out why")


def _spoken(out: Path) -> tuple[list[AnyAnswer], str]:
    """A caption and an answer about a new described scene, explained; and what named the neurons, in words."""
    from db import NameStore
    from dissection.concepts.layouts import open_concepts
    from dissection.execution.settings import Execution
    from dissection.networks.opening import open_network
    from dissection.networks.sources.spec import ANSWERER, CAPTIONER
    from neuronexplain.building import build
    from neuronexplain.explainer import Explainer
    from neuronexplain.language.captions import CaptionExplainer

    captioner, answerer = open_network(CAPTIONER), open_network(ANSWERER)
    path, photograph, question = _unseen_described(out / "photographs")
    with console.progress() as progress:
        if not (out / "described").is_dir():
            _draw_described(out / "described", progress)
        with NameStore.create(out / "described.db") as store:
            execution = Execution(scratch=out / "unfinished", progress=progress)
            data = open_concepts(out / "described")
            run = build(captioner, data, store, quantile=DEMO_QUANTILE, execution=execution).run
            explainer = Explainer.from_store(captioner, store, run=run)
            (caption,) = CaptionExplainer.of(explainer, store, run).explain_all([(path, photograph)])
            asked = Explainer.from_store(answerer.asked(question), store, run=run)
            (answer,) = asked.explain([(path, photograph)])
    console.say("A new scene, what other networks say of it, and why:")
    console.say()
    console.say(f"  {path}")
    console.say(f"    “{caption.caption}” {caption.sentence}")
    console.say(f"    {question} {answer.sentence}")
    console.say()
    return [caption, answer], (
        f"of {run.network}, and {answerer.name} asked “{question}”; {len(explainer.names)} of "
        f"{run.layer.units} neurons, which the two share, are named, by {run.images} described scenes"
    )


def _draw(folder: Path, progress: Progress) -> None:
    from dissection.concepts.generated import write_scenes

    write_scenes(
        folder, images=DEMO_SCENES, seed=_SEED, progress=lambda done: progress("drawing scenes", done, DEMO_SCENES)
    )


def _draw_described(folder: Path, progress: Progress) -> None:
    from dissection.concepts.generated import write_described

    write_described(
        folder,
        images=DESCRIBED_SCENES,
        seed=_SEED,
        progress=lambda done: progress("drawing described scenes", done, DESCRIBED_SCENES),
    )


def _unseen_described(folder: Path) -> tuple[str, Image.Image, str]:
    """A new described scene, saved, and a question about it."""
    from dissection.scenes.described.language import questions
    from dissection.scenes.described.scene import draw_described
    from dissection.scenes.dice import Dice
    from neuronexplain.pictures.overlay import save_picture

    described = draw_described(_UNSEEN, 0)
    path = folder / "described.png"
    save_picture(described.scene.photograph, path)
    return str(path), described.scene.photograph, questions(described, Dice(_UNSEEN))[0].text


def _unseen(folder: Path, images: int) -> Iterator[tuple[str, Image.Image]]:
    """One new scene of each class, saved as files that can be explained again."""
    from dissection.scenes.scene import draw_scene
    from neuronexplain.pictures.overlay import save_picture

    folder.mkdir(parents=True, exist_ok=True)
    for index in range(images):
        scene = draw_scene(_UNSEEN, index)
        path = folder / f"{scene.name.replace(' ', '_')}.png"
        save_picture(scene.photograph, path)
        yield str(path), scene.photograph


def _section(store: NameStore, run: Run, index: int) -> ClassSection:
    from neuronexplain.report.sections import ClassSection, ConceptRow

    rows = tuple(
        ConceptRow(
            answer.concept.spoken, answer.concept.category, len(answer.units), answer.lit.value, answer.lit.interval
        )
        for answer in console.ends(store.concepts_of(run, index), _QUERIED)
        if answer.lit is not None
    )
    return ClassSection(run.classes[index], store.class_images(run).get(index, 0), rows)


def _query(section: ClassSection) -> None:
    console.say(f"What matters for {section.label}, over {section.images} scenes:")
    rows: list[console.Row] = [
        {
            "concept": row.concept,
            "category": row.category,
            "lit": row.lit,
            "lit_low": row.interval and row.interval[0],
            "lit_high": row.interval and row.interval[1],
        }
        for row in section.rows
    ]
    headings = {"concept": "concept", "category": "category", "lit": "lit", "lit_low": "from", "lit_high": "to"}
    console.write_rows(rows, headings, as_json=False, as_csv=False)


def _cards(store: NameStore, run: Run) -> list[NeuronCard]:
    """The neurons with the best-fitting names, and the scenes that excite them most."""
    from neuronexplain.answer import ExemplarPicture
    from neuronexplain.report.sections import NeuronCard

    names = sorted(store.names(run, MIN_IOU).values(), key=lambda name: -name.iou)[:_CARDS]
    return [
        NeuronCard(
            name,
            tuple(
                ExemplarPicture.of(exemplar, picture, run.layer)
                for exemplar in store.unit(run, name.unit).exemplars
                if (picture := store.picture(run, exemplar.index)) is not None
            ),
        )
        for name in names
    ]
