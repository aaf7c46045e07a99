"""Public names that have changed. The old ones work until the next release, each with a ``DeprecationWarning``."""

from __future__ import annotations

import warnings
from functools import wraps
from typing import TYPE_CHECKING, ParamSpec, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

Arguments = ParamSpec("Arguments")
Result = TypeVar("Result")

NAMES: Mapping[str, str] = {
    "Means": "Execution",
    "reopen": "open_network_of",
    "speaker": "Explainer.from_store",
}
"""New names, or paths, by old name."""

KEYWORDS: Mapping[str, Mapping[str, str]] = {
    name: {"means": "execution"} for name in ("build", "build_layers", "dissect")
}
"""New keywords by old one, of each function that has such."""


def warn(old: str, new: str) -> None:
    """Say that a name has changed, on the line of whoever used the old one."""
    warnings.warn(f"{old} is now {new}; the old name will be gone in the next release", DeprecationWarning, 3)


def with_old_keywords(
    function: Callable[Arguments, Result], keywords: Mapping[str, str]
) -> Callable[Arguments, Result]:
    """The function, which takes the old keywords too."""

    @wraps(function)
    def call(*args: Arguments.args, **kwargs: Arguments.kwargs) -> Result:
        for old in keywords.keys() & kwargs.keys():
            warn(f"the argument {old}", keywords[old])
            kwargs[keywords[old]] = kwargs.pop(old)
        return function(*args, **kwargs)

    return call
