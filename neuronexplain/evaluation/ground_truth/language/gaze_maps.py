"""Where people look to answer questions: the pictures of VQA-HAT (Das et al. 2016).

A folder holds a grey picture for each person and question, over the whole photograph and of any size: bright where the
person looked. ``1500070_1.png`` and ``1500070_2.png`` are of two people and the question with the id 1500070;
``1500070.png`` will do for one.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import numpy as np

from dissection.concepts.problems import BadFileError
from dissection.images.photographs import open_photograph
from neuronexplain.evaluation.ground_truth.stamps import digest, stamp

if TYPE_CHECKING:
    from pathlib import Path

    from jaxtyping import Float64

_PERSON = re.compile(r"_\d+$")


class GazeMaps:
    """The pictures of a folder, by the ids of questions.

    Raises:
        ConceptDataError: if there is no such folder, or it holds no such pictures.
    """

    def __init__(self, folder: Path) -> None:
        if not folder.is_dir():
            raise BadFileError(folder, "there is no such folder; it must hold pictures of where people looked")
        self.folder = folder
        self._files: dict[str, list[Path]] = {}
        for file in sorted(folder.iterdir()):
            if file.suffix.lower() == ".png":
                for question in {file.stem, _PERSON.sub("", file.stem)}:
                    self._files.setdefault(question, []).append(file)
        if not self._files:
            raise BadFileError(
                folder, "it holds no pictures such as 1500070_1.png; name them after the ids of questions"
            )

    def of(self, question: str) -> list[Path]:
        """The pictures of a question."""
        return self._files.get(question, [])

    def read(self, question: str) -> tuple[Float64[np.ndarray, "_ _"], ...]:
        """The maps of a question, one for each person.

        Raises:
            PhotographError: if a file is not a picture.
        """
        return tuple(np.asarray(open_photograph(file).convert("L"), np.float64) for file in self.of(question))

    def identity(self) -> str:
        """Names and sizes of the pictures."""
        return digest(stamp(file) for files in self._files.values() for file in files)
