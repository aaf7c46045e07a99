"""Which runs name the units of a network: those of the network itself, and those of others with the same body.

Names depend on the body alone, so a captioner over a classifier's trunk, or a classifier with another head, has the
names of the run that was built with the classifier. All else that a run says is of the network that it was built with:
what its classes are called, what matters for them, and whether its alphas are constant.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from db.errors import RunNotFoundError
from dissection.errors import LayerNotFoundError, NetworkError, NotConnectedError, WeightsError
from dissection.networks.preprocessing import Preprocessing

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from db import NameStore
    from db.records import Run, RunLike
    from dissection.networks.network import Network

_ALIKE = 4
"""How many layers of another network are tried, which are called like a run's."""


class ByItself(Protocol):
    """Opens a network with its own classes, by default at its own layer and with its own preprocessing."""

    def __call__(self, *, layer: str | None = None, preprocessing: Preprocessing | None = None) -> Network:
        """The network."""
        ...


def is_built_with(run: Run, network: Network) -> bool:
    """Whether a run was built with this very network, so that what it says of classes is of the network's."""
    return bool(network.classes) and run.key.network == network.whole_fingerprint


def names_units_of(run: Run, network: Network) -> bool:
    """Whether a run's names are those of a network's units, seen in photographs that are prepared in the same way."""
    if run.key.preprocessing != network.preprocessing.canonical:
        return False
    return run.key.network == network.fingerprint or network.body_fingerprint in run.known_by


def run_of(network: Network, store: NameStore) -> Run:
    """The newest run that was built with a network; where there is none, the newest that names its units.

    Raises:
        RunNotFoundError: if every run there is, is of another network, of other weights, or of another preprocessing.
    """
    preprocessing = network.preprocessing.canonical
    try:
        return store.run_for(network.fingerprint, preprocessing=preprocessing)
    except RunNotFoundError:  # only then it is worth a pass to find the body
        return store.run_for(network.fingerprint, network.body_fingerprint, preprocessing=preprocessing)


def require_run_of(network: Network, store: NameStore, run: RunLike) -> None:
    """Check that a run names the units of a network.

    Raises:
        RunNotFoundError: if it is of another network, of other weights, or of another preprocessing; the message names
            the run that fits, if any.
    """
    if not names_units_of(store.run(run), network):
        fingerprints = network.fingerprint, network.body_fingerprint
        store.require_network(run, *fingerprints, preprocessing=network.preprocessing.canonical)


def opened_for(run: Run, as_built: Callable[[], Network], by_itself: ByItself) -> Network:
    """A network as it was when a run was built; or if that is another one, with its own classes, at the units named.

    Nothing that a run says of classes and outputs is taken for another network. Whether the run names the units of what
    is opened, :func:`require_run_of` checks.

    Raises:
        NetworkError: if it cannot be opened in either way.
    """
    try:
        opened = as_built()
    except WeightsError:
        raise
    except NetworkError as error:
        return _with_names(run, by_itself, error)
    if run.key.network == opened.fingerprint or not names_units_of(run, opened):
        return opened
    return _with_names(run, by_itself)


def _with_names(run: Run, by_itself: ByItself, refusal: NetworkError | None = None) -> Network:
    """A network at its own layer, or at one that is called like the run's if that is the one whose units have names."""
    try:
        opened = _by_itself(run, by_itself)
    except NetworkError as error:
        raise refusal or error from None
    if names_units_of(run, opened):
        return opened
    for layer in _called_alike(run.layer.name, [name for name, _ in opened.module.named_modules()]):
        try:
            tapped = opened.at(layer)
        except (LayerNotFoundError, NotConnectedError):
            continue
        if names_units_of(run, tapped):
            return tapped
    return opened


def _by_itself(run: Run, by_itself: ByItself) -> Network:
    """A network, with the run's preprocessing unless it comes with one that cannot be changed."""
    preprocessing = Preprocessing.from_canonical(run.key.preprocessing)
    try:
        return by_itself(preprocessing=preprocessing)
    except LayerNotFoundError:
        return by_itself(layer=run.layer.name, preprocessing=preprocessing)
    except NetworkError:
        return by_itself()


def _called_alike(layer: str, names: Sequence[str]) -> list[str]:
    """The names that share most of a layer's end, in order."""
    shared = {name: _shared_end(layer.split("."), name.split(".")) for name in names}
    longest = max(shared.values())
    return [name for name in names if shared[name] == longest][:_ALIKE] if longest else []


def _shared_end(one: Sequence[str], other: Sequence[str]) -> int:
    """How many of the last parts of two names are the same."""
    pairs = zip(reversed(one), reversed(other), strict=False)
    return next((number for number, (part, beside) in enumerate(pairs) if part != beside), min(len(one), len(other)))
