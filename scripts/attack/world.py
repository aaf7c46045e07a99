"""What is attacked: a network of four neurons, squares of four colours, and their names."""

from __future__ import annotations

import shutil
import sys
import tarfile
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch
from commands import ROOT
from PIL import Image
from safetensors.torch import save_file

sys.path.insert(0, str(ROOT / "tests"))
from worlds import write_colour_folder

if TYPE_CHECKING:
    from collections.abc import Callable

    from commands import Warm
    from torch import nn

SIZE = 32
_IMAGES = 16
_NETWORK = '''"""Units 0 to 3 detect red, green, blue and yellow."""

import torch
from torch import nn


def squares():
    network = nn.Sequential(nn.Conv2d(3, 4, 1), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(4, 4))
    with torch.no_grad():
        network[0].weight.copy_(torch.tensor([[1.0, -1, -1], [-1, 1, -1], [-1, -1, 1], [1, 1, -1]])[:, :, None, None])
        network[0].bias.copy_(torch.tensor([0.0, 0, 0, -1]))
        network[4].weight.copy_(torch.eye(4) * 9)
        network[4].bias.zero_()
    return network.eval()
'''


@dataclass(frozen=True, slots=True)
class World:
    """The folder of everything that commands read."""

    folder: Path

    @property
    def network(self) -> list[object]:
        """Options that name the network."""
        return ["--network", f"{self.folder / 'net.py'}:squares", "--input-size", SIZE]

    @property
    def squares(self) -> Path:
        """Squares, in the plain layout."""
        return self.folder / "squares"

    @property
    def broden(self) -> Path:
        """The same, in Broden's layout."""
        return self.folder / "broden"

    @property
    def database(self) -> Path:
        """Their names."""
        return self.folder / "names.db"

    def build(self, database: Path, concepts: Path | None = None, *, draws: int = 9) -> list[object]:
        """The command that names the neurons."""
        settings = ["--batch-size", 4, "--draws", draws, "--min-images", 2, "--quantile", 0.02]
        return ["build", *self.network, "--concepts", concepts or self.squares, *settings, "--db", database]

    def explain(self, database: Path, out: Path) -> list[object]:
        """The command that explains two squares."""
        pictures = [self.squares / "images" / f"{number:03}.png" for number in (0, 1)]
        return ["explain", *pictures, "--db", database, *self.network[:2], "--out", out]


def write_world(folder: Path, warm: Warm) -> World:
    """Write everything into an empty folder; what the commands load on the way stays loaded in ``warm``."""
    world = World(folder)
    write_colour_folder(world.squares, images=_IMAGES)
    _with_jpegs(world.squares, folder / "jpegs")
    (folder / "net.py").write_text(_NETWORK)
    (folder / "classes.txt").write_text("red\ngreen\nblue\nyellow\n")
    convert = ["concepts", "convert", world.squares, world.broden, "--size", SIZE, "--label-size", 16]
    warm.rehearse([*convert, "--min-images", 2])
    warm.rehearse([*world.build(world.database), "--classes", folder / "classes.txt"])
    warm.rehearse(["export", folder / "names.json", "--db", world.database])
    warm.rehearse(["export", folder / "exported", "--db", world.database])
    warm.rehearse(["concepts", "check", world.squares, "--min-images", 2, "--quantile", 0.02])
    warm.rehearse(world.explain(world.database, folder / "rehearsed"))
    _write_weights(folder)
    _write_archives(folder)
    return world


def make_network() -> nn.Module:
    """The network, as its factory makes it."""
    namespace: dict[str, Callable[[], nn.Module]] = {}
    exec(_NETWORK, namespace)  # noqa: S102 -- the text above
    return namespace["squares"]()


def _with_jpegs(squares: Path, folder: Path) -> None:
    shutil.copytree(squares, folder)
    for photograph in (folder / "images").iterdir():
        Image.open(photograph).save(photograph.with_suffix(".jpg"), quality=95)
        photograph.unlink()


def _write_weights(folder: Path) -> None:
    network = make_network()
    state = network.state_dict()
    save_file(state, folder / "weights.safetensors")
    torch.save(state, folder / "weights.pt")
    torch.save(state, folder / "weights-1.5.pt", _use_new_zipfile_serialization=False)
    torch.save(network, folder / "whole.pt")


def _write_archives(folder: Path) -> None:
    """A published dataset as it is downloaded: textures, in three kinds of archive."""
    generator = np.random.default_rng(0)
    source = folder / "textures" / "dtd"
    for number in range(4):
        file = source / "images" / "dotted" / f"dotted_{number:04}.jpg"
        file.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(generator.integers(0, 256, (16, 16, 3), np.uint8)).save(file)
    with tarfile.open(folder / "dtd.tar.gz", "w:gz") as archive:
        archive.add(source, "dtd")
    with tarfile.open(folder / "dtd.tar.xz", "w:xz") as archive:
        archive.add(source, "dtd")
    with zipfile.ZipFile(folder / "dtd.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        for file in sorted(source.rglob("*.jpg")):
            archive.write(file, Path("dtd") / file.relative_to(source))
