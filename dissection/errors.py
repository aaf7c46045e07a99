"""The errors, as one tree. Every message says what was found, what is needed and what to do.

::

    NeuronExplainError
    ├── PhotographError        an image file that cannot be read as one photograph
    ├── ConceptDataError       a concept dataset that does not match its layout
    ├── DownloadError          a file that cannot be downloaded, or differs from what was published
    ├── ArchiveError           an archive that is damaged, or unsafe to unpack
    ├── OutputError            a file or folder that cannot be written, or already exists
    ├── NetworkError           a network that cannot be made, or does not fit the request
    │   ├── LayerNotFoundError     no such layer, or one without units
    │   ├── WeightsError           a weights file that is unsafe, unreadable or does not fit
    │   ├── ActivationError        a NaN or an infinity in a feature map
    │   ├── UnknownWordError       a word that a captioner does not know
    │   ├── CaptionError           a caption that cannot be read word by word
    │   └── NotConnectedError      a score that does not depend on the tapped layer
    ├── CheckpointError        an unfinished build that cannot be resumed
    ├── ClassNotFoundError     a class that the network does not have
    ├── RanksError             a rank that cannot continue without the others
    ├── RulesError             (neuronexplain.audit) a file of rules that cannot be read
    ├── StudyError             (neuronexplain.studies.human) a study or ratings that cannot be used
    └── StoreError             (package db) a database that cannot answer
        ├── RunNotFoundError       no run, or more than one, matches the query
        ├── ConceptNotFoundError   no unit has the requested name
        └── SchemaError            a database written by another version
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from .plain_text import visible

if TYPE_CHECKING:
    from collections.abc import Iterable

_LONGEST_SHOWN = 60
"""Characters of a value that a message shows."""


class NeuronExplainError(Exception):
    """Anything a user can put right: the command line prints its message as one line and exits with status 2."""


class NoteWarning(UserWarning):
    """Something that a user should know and that is no error: the command line writes its message as a note."""


class AssumedPreprocessingWarning(NoteWarning):
    """Nobody said what a network expects of a photograph, so that what ImageNet's networks expect is assumed."""


class PhotographError(NeuronExplainError):
    """An image file is missing, truncated, animated or empty."""


class ConceptDataError(NeuronExplainError):
    """A concept dataset breaks its layout."""


class DownloadError(NeuronExplainError):
    """A file cannot be downloaded, or differs from what was published."""


class ArchiveError(NeuronExplainError):
    """An archive is damaged or malicious."""


class OutputError(NeuronExplainError):
    """A file or folder cannot be written, or already exists."""


class NetworkError(NeuronExplainError):
    """A network cannot be made, or does not fit the request."""


class LayerNotFoundError(NetworkError):
    """A layer's name does not exist in the network, or its output has no units."""


class UnknownWordError(NetworkError):
    """A captioner does not know a word."""


class CaptionError(NetworkError):
    """A caption has no words, or the network's tokens do not spell them."""


class WeightsError(NetworkError):
    """A weights file is unsafe, unreadable, or does not fit the architecture."""


class ActivationError(NetworkError):
    """A feature map holds a NaN or an infinity."""


def require_finite(finite: Iterable[bool], layer: str, images: Iterable[str]) -> None:
    """Check that no image's map of a layer holds a NaN or an infinity.

    Raises:
        ActivationError: if a map does; the message names the first such image.
    """
    for is_finite, image in zip(finite, images, strict=True):
        if not is_finite:
            raise ActivationError(
                f"layer {layer!r} gives a NaN or an infinity for {image}; check the weights, the preprocessing "
                "(--mean, --std) and that photograph"
            )


class NotConnectedError(NetworkError):
    """A score does not depend on the tapped layer."""


class CheckpointError(NeuronExplainError):
    """An unfinished build cannot be resumed, or is in use."""


class ClassNotFoundError(NeuronExplainError):
    """A requested class does not exist in the network."""


class RanksError(NeuronExplainError):
    """Another process that torchrun started has stopped, or the processes cannot find each other."""


def not_taken(argument: str, value: object, accepted: str) -> TypeError:
    """The error of an argument that is of no kind which could be taken.

    Args:
        argument: its name.
        value: what it is.
        accepted: what would do.
    """
    return TypeError(f"{argument} is {described(value)}; give {accepted}")


def described(value: object) -> str:
    """What a value is, in a few words.

    >>> described(None), described(3.5), described([1, 2]), described(int)
    ('None', 'a float (3.5)', 'a list of 2', 'the class int')
    """
    if value is None:
        return "None"
    if isinstance(value, type):
        return f"the class {value.__name__}"
    name = type(value).__name__
    article = "an" if name[0].lower() in "aeiou" else "a"
    if isinstance(value, str | bool | int | float):
        return f"{article} {name} ({visible(repr(value))[:_LONGEST_SHOWN]})"
    if isinstance(value, list | tuple | dict | set):
        return f"{article} {name} of {len(value)}"
    shape, dtype = getattr(value, "shape", None), getattr(value, "dtype", None)
    return f"{article} {name}" if dtype is None else f"{article} {name} of shape {tuple(shape or ())} and type {dtype}"
