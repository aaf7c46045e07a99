"""``neuronexplain evaluate layers``: App. B.1 and G."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from dissection.errors import NeuronExplainError
from neuronexplain.cli import console, options
from neuronexplain.cli.groups import grouped

from .inputs import NetworkOptions

if TYPE_CHECKING:
    from collections.abc import Sequence


@grouped
def layers(
    *,
    network: NetworkOptions,
    data: Annotated[Path, typer.Option(help="A photograph, or a folder of them.")],
    target: Annotated[str | None, typer.Option(help="The class; by default the predicted one.")] = None,
    out: Annotated[Path, typer.Option(help="Folder for the pictures.")],
    json: options.Json = False,
) -> None:
    """Draw Grad-CAM at every stage of a network (App. B.1 and G).

    Example: neuronexplain evaluate layers --network vgg16 --data photo.jpg --out figures
    """
    from dissection.images.photographs import open_photograph
    from dissection.networks.forward import forward
    from neuronexplain.classes import find_class
    from neuronexplain.pictures.overlay import save_picture
    from neuronexplain.studies.stages import stages, stages_sheet

    files = _photographs(data)
    opened = network.open()
    target_class = find_class(opened.classes, target) if target is not None else None
    out.mkdir(parents=True, exist_ok=True)
    entries = []
    with console.progress() as progress:
        for done, file in enumerate(files, 1):
            frame = opened.preprocessing.frame(open_photograph(file))
            image = opened.preprocessing.tensor(frame)
            index = int(forward(opened, image[None]).scores.argmax()) if target_class is None else target_class
            path = out / f"{file.stem}-layers.png"
            save_picture(stages_sheet(frame, stages(opened, image, index)), path)
            entries.append({"image": str(file), "class": opened.classes[index], "picture": str(path)})
            progress("drawing", done, len(files))
    if json:
        console.write_json(entries)
        return
    for entry in entries:
        console.say(f"{entry['image']}: {entry['class']} at every stage: {entry['picture']}")


def _photographs(data: Path) -> Sequence[Path]:
    from dissection.images.photographs import photographs_in

    files = [data] if data.is_file() else photographs_in(data) if data.is_dir() else []
    if not files:
        raise NeuronExplainError(f"--data {data} holds no photograph; name one, or a folder of them")
    return files
