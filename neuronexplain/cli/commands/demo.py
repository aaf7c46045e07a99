"""``neuronexplain demo``: the whole job, on generated scenes and the network that comes with the package."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from dissection.vocabulary import MIN_IOU
from neuronexplain.cli import console

from .build import summarise

if TYPE_CHECKING:
    from collections.abc import Iterator

    from PIL import Image

    from db import NameStore
    from db.records import Run
    from dissection.execution.settings import Progress
    from neuronexplain.report.sections import ClassSection, NeuronCard

DEMO_SCENES = 600
"""Number of scenes that the neurons are named with."""

DEMO_QUANTILE = 0.0075
"""Wide enough for concepts that cover much of a few hundred scenes, and so narrow that of things, not of what surrounds
them, most is within the masks."""

_SEED = 1
_UNSEEN = 2
_CARDS = 24
_QUERIED = 10


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
        explanations = []
        unseen = dict(_unseen(out / "photographs", len(network.classes)))
        true_classes = {path: number for number, path in enumerate(unseen)}
        for explanation in explainer.explain(unseen.items(), true_class=true_classes.__getitem__):
            explanations.append(explanation)
            console.say(f"  {explanation.image}")
            console.say(f"    {explanation.sentence}")
            console.say()
        sections = [_section(store, run, index) for index in range(len(run.classes))]
        _query(sections[0])
        write_folder(
            out,
            explanations,
            title="Why does the network say so?",
            facts=run_facts(run, named=len(explainer.names)),
            classes=sections,
            neurons=_cards(store, run),
            replace=True,
        )
    console.say()
    console.say(f"Look at the page: {out / PAGE}")
    console.say(f"Ask the database: neuronexplain concepts of {run.classes[-1]} --db {database}")
    console.say(f"Explain a photograph: neuronexplain explain PHOTOGRAPH --db {database} --out why")


def _draw(folder: Path, progress: Progress) -> None:
    from dissection.concepts.generated import write_scenes

    write_scenes(
        folder, images=DEMO_SCENES, seed=_SEED, progress=lambda done: progress("drawing scenes", done, DEMO_SCENES)
    )


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
