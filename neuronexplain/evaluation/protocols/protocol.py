"""The base of every protocol: what it records of each image of a batch, and the table that it makes of the records."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Literal

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from neuronexplain.evaluation.batch import Batch
    from neuronexplain.evaluation.ground_truth.truth import Objects
    from neuronexplain.evaluation.record_journal import Record
    from neuronexplain.evaluation.tables import Report
    from neuronexplain.methods import Method

Need = Literal["objects", "masks", "one crop", "centre", "methods", "captions", "answers"]


@dataclass(frozen=True)
class Protocol(ABC):
    """A protocol of the paper or of its successors. Its fields are everything that changes its result.

    Attributes:
        name: the protocol's name for users.
        needs: its requirements: annotated objects, masks of them, a view of one crop, what the
            network usually sees of a photograph, methods, a network that writes captions or answers questions.
    """

    name: ClassVar[str]
    needs: ClassVar[frozenset[Need]] = frozenset(("objects", "methods"))

    @property
    def comparisons(self) -> int:
        """With how many other pictures each image is compared; most protocols compare it with none."""
        return 0

    @property
    def settings(self) -> dict[str, Any]:
        """The fields, as JSON values."""
        return asdict(self)

    @abstractmethod
    def observe(self, batch: Batch, methods: Sequence[Method], out: Path) -> list[Record]:
        """The record of each image of a batch.

        Further files go into ``out``; the record of their image has their checksums as ``written``, by path in ``out``.
        """

    @abstractmethod
    def report(self, records: Sequence[Record], objects: Objects, methods: Sequence[Method]) -> Report:
        """The table of all records."""

    def finish(self, records: Sequence[Record], objects: Objects, methods: Sequence[Method], out: Path) -> None:  # noqa: B027 -- most have nothing to write
        """Write files that can only be written at the end; most protocols write none."""
