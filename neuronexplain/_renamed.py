"""Renamed public names. The old ones work until the next release, with a ``DeprecationWarning``."""

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
"""The new name, or dotted path, of each old name."""

KEYWORDS: Mapping[str, Mapping[str, str]] = {
    name: {"means": "execution"} for name in ("build", "build_layers", "dissect")
}
"""The new keyword of each old one, by function."""


def warn(old: str, new: str) -> None:
    """Warn that a name has changed, pointing at the line that used the old one."""
    warnings.warn(f"{old} is now {new}; the old name will be removed in the next release", DeprecationWarning, 3)


def with_old_keywords(
    function: Callable[Arguments, Result], keywords: Mapping[str, str]
) -> Callable[Arguments, Result]:
    """Make a function take its old keywords too."""

    @wraps(function)
    def call(*args: Arguments.args, **kwargs: Arguments.kwargs) -> Result:
        for old_keyword in keywords.keys() & kwargs.keys():
            warn(f"the argument {old_keyword}", keywords[old_keyword])
            kwargs[keywords[old_keyword]] = kwargs.pop(old_keyword)
        return function(*args, **kwargs)

    return call
