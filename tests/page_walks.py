"""Which world each page begins in, what a test of it changes, and what must have come out in the end."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import page_checks as checks
import page_worlds as worlds
from page_walker import Changes, Walker

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from page_worlds import Origins

TUTORIAL, HOW_TO = "docs/tutorial", "docs/how-to"
A_DOWNLOAD = "needs data or weights that would be downloaded"
A_GPU = "needs a GPU"
RANKS = "starts several processes; tests/test_ranks.py and its like do that"
INSTALLS = "changes the environment"


@dataclass(frozen=True, slots=True)
class Walk:
    """How one page is tried.

    Attributes:
        world: fills the folder that the reader begins in.
        changes: where the test does something else than the page says.
        check: what is asserted of the walk, beyond that everything ran and printed what the page shows.
        needs: packages without which the page is not tried.
        then: pages that go on in the same folder.
        elsewhere: the file of tests that runs the page instead, and why.
    """

    world: Callable[[Path, Origins], object] = worlds.nothing
    changes: Changes = field(default_factory=Changes)
    check: Callable[[Walker], object] | None = None
    needs: tuple[str, ...] = ()
    then: tuple[str, ...] = ()
    elsewhere: str = ""


_MODELS_AT_HAND = {"hf/nvidia/": "hf/", "hf/IDEA-Research/": "hf/", "hf/facebook/": "hf/"}
_FEW_IMAGES = "--limit 60 --min-images 5 --draws 8"

WALKS: dict[str, Walk] = {
    "README.md": Walk(
        worlds.newcomer_after_the_demo,
        Changes(skipped={"make": "sets up an environment", "uv pip install": INSTALLS}),
        checks.explained,
    ),
    "docs/explanation/attacks.md": Walk(changes=Changes(skipped={"": "takes minutes to hours"})),
    "docs/index.md": Walk(changes=Changes(skipped={"pip install": INSTALLS})),
    f"{TUTORIAL}/names-and-sentences.md": Walk(
        changes=Changes(smaller={"neuronexplain evaluate words": "--scenes 12"}),
        then=(f"{TUTORIAL}/how-true.md",),
    ),
    f"{TUTORIAL}/audit.md": Walk(
        worlds.colleague,
        Changes(
            smaller={"neuronexplain build": "--min-images 5 --draws 8"},
            skipped={"neuronexplain evaluate bias": "takes a minute; what it leaves is there, of a smaller study"},
        ),
        checks.audited,
    ),
    f"{HOW_TO}/ask-the-database.md": Walk(worlds.demo),
    f"{HOW_TO}/captions-and-questions.md": Walk(
        worlds.demo,
        Changes(smaller={"neuronexplain build": _FEW_IMAGES, "neuronexplain evaluate": "--limit 2"}),
        checks.captions,
    ),
    f"{HOW_TO}/compare-checkpoints.md": Walk(
        worlds.two_checkpoints,
        Changes(smaller={"neuronexplain build": f"{_FEW_IMAGES} --limit 150"}),  # of fewer, others get the name
        checks.compared,
    ),
    f"{HOW_TO}/compare-groups.md": Walk(worlds.audited, check=checks.groups),
    f"{HOW_TO}/compositional-names.md": Walk(
        worlds.demo, Changes(smaller={"neuronexplain build": "--limit 100 --draws 19"}), checks.formulas
    ),
    f"{HOW_TO}/concept-data.md": Walk(worlds.published_data, check=checks.joined),
    f"{HOW_TO}/dictionaries.md": Walk(
        worlds.demo,
        Changes(
            smaller={
                "neuronexplain dictionary learn features": "--limit 48 --positions 3000 --steps 100",
                "neuronexplain dictionary learn directions": "--limit 60 --positions 3000",
                "neuronexplain dictionary check": "--limit 20",
                "neuronexplain build": _FEW_IMAGES,
            }
        ),
        checks.dictionaries,
    ),
    f"{HOW_TO}/easy-vqa.md": Walk(elsewhere="tests/test_easy_vqa.py, with the answerer that its tests train"),
    f"{HOW_TO}/evaluate.md": Walk(
        worlds.demo,
        Changes(
            smaller={"neuronexplain evaluate words": "--limit 4"},
            skipped={"neuronexplain evaluate localisation": A_DOWNLOAD},
        ),
    ),
    f"{HOW_TO}/find-mistakes.md": Walk(worlds.audited, check=checks.mistakes),
    f"{HOW_TO}/human-studies.md": Walk(
        worlds.scripts,
        Changes(
            smaller={
                "neuronexplain study make": "--images 2",
                "python scripts/train_scenes.py": "--images 24 --held-out 24",
            },
            skipped={"neuronexplain study make discrimination --network mine": A_DOWNLOAD}
            | {"neuronexplain study make trust --network mine": A_DOWNLOAD},
            before={
                "neuronexplain study results what-is-it which-is-better": worlds.rate_studies,
                "neuronexplain study results what-is-it --ratings": worlds.write_ratings,
            },
        ),
        checks.studied,
    ),
    f"{HOW_TO}/in-python.md": Walk(worlds.names),  # its build finds that it is done already
    f"{HOW_TO}/label-photographs.md": Walk(
        worlds.photographs_without_masks,
        Changes(
            instead=_MODELS_AT_HAND, smaller={"neuronexplain build": "--draws 8"}, skipped={"pip install": INSTALLS}
        ),
        checks.labelled,
        needs=("transformers",),
    ),
    f"{HOW_TO}/large-datasets.md": Walk(
        worlds.demo,
        Changes(
            smaller={"neuronexplain build": _FEW_IMAGES},
            skipped={
                "neuronexplain build --network scenes --concepts demo/scenes --db gpu.db": A_GPU,
                "torchrun": RANKS,
            },
        ),
    ),
    f"{HOW_TO}/measure-an-effect.md": Walk(worlds.nurses, check=checks.effect),
    f"{HOW_TO}/other-explanations.md": Walk(worlds.demo),
    f"{HOW_TO}/own-network.md": Walk(worlds.newcomer),
    f"{HOW_TO}/recipes.md": Walk(elsewhere="tests/test_recipes.py, within the libraries that the recipes are for"),
    f"{HOW_TO}/report-a-bug.md": Walk(worlds.names),
    f"{HOW_TO}/rules-in-ci.md": Walk(
        worlds.demo_and_nurses, Changes(status={"neuronexplain audit rules": 1}), checks.rules
    ),
    f"{HOW_TO}/serve.md": Walk(worlds.demo, Changes(skipped={"pip install": INSTALLS})),
    f"{HOW_TO}/share-names.md": Walk(worlds.shared),
    f"{HOW_TO}/show-an-explanation.md": Walk(worlds.demo, check=checks.shown),
}
"""Every page on which something is to be typed."""
