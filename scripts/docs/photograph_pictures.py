"""Draws the docs' pictures of photographs that must not be shown: only heat map and named neurons.

Their owners keep their rights in the photographs, so a picture shows the heat map, and where the neurons of each name
respond. Those in docs/pictures are of SqueezeNet's database, and photographs of ImageNet's: a goldfinch, a convertible,
a mountain bike, a zebra and a boxer; and as mistakes, with the class that they show, a mountain tent and a trimaran.
pictures.py makes all the others.
"""

from __future__ import annotations

from argparse import ArgumentParser, RawDescriptionHelpFormatter
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from db import NameStore
from dissection.images.photographs import open_photograph
from neuronexplain import Explainer, open_network_of
from neuronexplain.classes import find_class
from neuronexplain.pictures.overlay import heatmap_image, save_picture

if TYPE_CHECKING:
    from collections.abc import Sequence

    from neuronexplain.answer import Answer, Contrast

SIDE = 200
CAPTION = 26
GAP = 8


def tile(picture: Image.Image, caption: str) -> Image.Image:
    """A picture with a caption below."""
    sheet = Image.new("RGB", (SIDE, SIDE + CAPTION), "white")
    sheet.paste(picture.resize((SIDE, SIDE)), (0, 0))
    ImageDraw.Draw(sheet).text((0, SIDE + 4), caption, fill="black", font=ImageFont.load_default(15))
    return sheet


def evidence(answer: Answer) -> Image.Image:
    """The heat map of a class."""
    return tile(heatmap_image(answer.heatmap, size=(SIDE, SIDE)), f"why {answer.target.label}")


def neurons(answer: Answer | Contrast) -> list[Image.Image]:
    """Where the neurons that are said to respond do so, a tile for each name."""
    responding = Counter(
        u.name.concept.spoken for u in (*answer.top, *answer.bottom) if u.name and u.clause == "responds"
    )
    tiles = []
    for name, mask in answer.masks.items():
        if name in responding:
            grey = np.where(mask > 1, 255, np.clip(mask * 90, 0, 90)).astype(np.uint8)
            of_name = "neuron" if responding[name] == 1 else "neurons"
            tiles.append(tile(Image.fromarray(grey), f"{of_name} for {name}"))
    return tiles


def strip(tiles: Sequence[Image.Image]) -> Image.Image:
    """Tiles side by side."""
    sheet = Image.new("RGB", (len(tiles) * (SIDE + GAP) - GAP, SIDE + CAPTION), "white")
    for number, picture in enumerate(tiles):
        sheet.paste(picture, (number * (SIDE + GAP), 0))
    return sheet


def draw(explainer: Explainer, path: str, shown: str, folder: Path) -> None:
    """Write the strip of a photograph; of a mistake, that of what the network says and what is shown."""
    photograph = [(path, open_photograph(Path(path)))]
    (explanation,) = explainer.explain(photograph)
    if shown:
        pair = explanation.prediction.index, find_class(explainer.network.classes, shown)
        (comparison,) = explainer.compare_each(photograph, [pair])
        tiles = [*map(evidence, comparison.answers), *neurons(comparison.contrasts[0])]
    else:
        tiles = [evidence(explanation), *neurons(explanation)]
    target = folder / f"{(shown or explanation.target.label).lower().replace(' ', '-')}.png"
    save_picture(strip(tiles), target)
    print(f"{target.name}: {explanation.sentence}")


def main() -> None:
    """Write one strip for each photograph, and print its sentence."""
    parser = ArgumentParser(description=__doc__, formatter_class=RawDescriptionHelpFormatter)
    parser.add_argument("database", help="a database of a network's names")
    parser.add_argument("folder", type=Path, help="folder for the pictures")
    parser.add_argument("photographs", nargs="+", metavar="PHOTOGRAPH[=CLASS]", help="of a mistake, with its class")
    asked = parser.parse_args()
    asked.folder.mkdir(parents=True, exist_ok=True)
    with NameStore.open(asked.database) as store:
        run = store.choose()
        explainer = Explainer.from_store(open_network_of(run), store, run=run)
    for photograph in asked.photographs:
        path, _, shown = photograph.partition("=")
        draw(explainer, path, shown, asked.folder)


if __name__ == "__main__":
    main()
