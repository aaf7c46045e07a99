"""The data of a build as this process reads them: fingerprinted first, and compared with that at the end."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from db.records import CONCEPT_IMAGES
from dissection.concepts.fingerprints import changed_file, fingerprint
from dissection.errors import ConceptDataError
from dissection.files.paths import readable
from dissection.files.read_files import ReadFiles

if TYPE_CHECKING:
    from dissection.concepts.dataset import ConceptDataset
    from dissection.execution.ranks import Ranks
    from dissection.execution.settings import Execution

    from .class_images import ClassImages


class BuildData:
    """Concept data and, where a build has them, images for class importances.

    Args:
        concepts: the concept data.
        class_images: the images for class importances; by default the concept data's.
    """

    def __init__(self, concepts: ConceptDataset, class_images: ClassImages | None) -> None:
        self._concepts = concepts
        self._class_images = class_images
        self._read, self._read_of_classes = ReadFiles(), ReadFiles()

    def fingerprints(self, execution: Execution) -> tuple[str, str]:
        """Of the concept data and of the images for class importances; every rank reads them, perhaps from other disks.

        Raises:
            ConceptDataError: if a file cannot be read, or ranks read different data.
        """
        report = partial(execution.report, "reading the concept data")
        concepts = fingerprint(self._concepts, progress=report, read=self._read)
        images = self._class_images.fingerprint(self._read_of_classes) if self._class_images else CONCEPT_IMAGES
        if len(set(execution.ranks.gather((concepts, images)))) > 1:
            raise ConceptDataError(
                f"the processes of this build read different data in {self._concepts.name}; give all the same copy"
            )
        return concepts, images

    @property
    def state(self) -> str:
        """What tells these files from files that were changed and changed back."""
        return f"{self._read.digest} {self._read_of_classes.digest}"

    def changed(self, ranks: Ranks) -> str:
        """The first file that any rank finds other than it was fingerprinted; empty if there is none."""
        changed = changed_file(self._concepts, self._read)
        if changed is None and self._class_images:
            changed = self._class_images.changed_file(self._read_of_classes)
        return next(filter(None, ranks.gather("" if changed is None else readable(changed))), "")
