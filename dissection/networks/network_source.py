"""Where a network comes from, as a run keeps it."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Self

from dissection.errors import NetworkError

if TYPE_CHECKING:
    from collections.abc import Mapping


@dataclass(frozen=True, slots=True)
class Source:
    """Where a network comes from: what :func:`open_network` needs to make it again.

    Attributes:
        network: a name, or ``file.py:factory``, or ``package.module:factory``.
        weights: path of a weights file, or ``None``.
        output: which of several outputs holds the scores, if the user chose it.
        multi_label: whether the user declared classes to be independent of each other.
        ema: whether the averaged weights of that file are meant.
        dictionary: path of the folder of the dictionary that takes its layer apart, or ``None``.
        learned: who learned that dictionary, and from what, for people.
    """

    network: str
    weights: str | None = None
    output: str = ""
    multi_label: bool = False
    ema: bool = False
    dictionary: str | None = None
    learned: str | None = None

    def to_json(self) -> dict[str, object]:
        """Plain JSON values."""
        unusual = {key: value for key, value in asdict(self).items() if value}
        return {"network": self.network, "weights": self.weights} | unusual

    @classmethod
    def from_json(cls, values: Mapping[str, object]) -> Self:
        """The source that :meth:`to_json` wrote.

        Raises:
            NetworkError: if the values are anything else.
        """
        network, weights = values.get("network"), values.get("weights")
        if not isinstance(network, str) or not (weights is None or isinstance(weights, str)):
            raise NetworkError(f"{dict(values)} is not a source of a network; name the network with --network")
        choices = bool(values.get("multi_label")), bool(values.get("ema"))
        dictionary = (str(values.get(name) or "") or None for name in ("dictionary", "learned"))
        return cls(network, weights, str(values.get("output") or ""), *choices, *dictionary)
