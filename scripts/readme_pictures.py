"""Draws the README's pictures of photographs that must not be shown: only heat map and named neurons.

Usage: scripts/readme_pictures.py DATABASE FOLDER PHOTOGRAPH...

The README shows a goldfinch, an oxcart, a mountain bike, a zebra and a boxer. The picture of the demo's page, page.jpg,
is not drawn here: it is a browser's view of demo/index.html, 1280 x 1600, reduced to 1000 x 1250, while the pointer is
on the first word that has pixels.
"""

from __future__ import annotations

import sys
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from db import NameStore
from dissection.images.photographs import open_photograph
from neuronexplain import Explainer, open_network_of
from neuronexplain.pictures.overlay import heatmap_image, save_picture

if TYPE_CHECKING:
    from neuronexplain.explanation import Explanation

SIDE = 200
CAPTION = 26
GAP = 8


def tile(picture: Image.Image, caption: str) -> Image.Image:
    """A picture with a caption below."""
    sheet = Image.new("RGB", (SIDE, SIDE + CAPTION), "white")
    sheet.paste(picture.resize((SIDE, SIDE)), (0, 0))
    ImageDraw.Draw(sheet).text((0, SIDE + 4), caption, fill="black", font=ImageFont.load_default(15))
    return sheet


def strip(explanation: Explanation) -> Image.Image:
    """The heat map, and where the neurons that are said to respond do so."""
    responding = Counter(u.name.concept.spoken for u in explanation.top if u.name and u.clause == "responds")
    tiles = [tile(heatmap_image(explanation.heatmap, size=(SIDE, SIDE)), f"why {explanation.target.label}")]
    for name, mask in explanation.masks.items():
        if name in responding:
            grey = np.where(mask > 1, 255, np.clip(mask * 90, 0, 90)).astype(np.uint8)
            neurons = "neuron" if responding[name] == 1 else "neurons"
            tiles.append(tile(Image.fromarray(grey), f"{neurons} for {name}"))
    sheet = Image.new("RGB", (len(tiles) * (SIDE + GAP) - GAP, SIDE + CAPTION), "white")
    for number, picture in enumerate(tiles):
        sheet.paste(picture, (number * (SIDE + GAP), 0))
    return sheet


def main() -> None:
    """Write one strip for each photograph, and print its sentence."""
    database, folder, *photographs = sys.argv[1:]
    with NameStore.open(database) as store:
        run = store.choose()
        explainer = Explainer.from_store(open_network_of(run), store, run=run)
    named = ((path, open_photograph(Path(path))) for path in photographs)
    for explanation in explainer.explain(named):
        target = Path(folder) / f"{explanation.target.label.lower().replace(' ', '-')}.png"
        save_picture(strip(explanation), target)
        print(f"{target.name}: {explanation.sentence}")


if __name__ == "__main__":
    main()
