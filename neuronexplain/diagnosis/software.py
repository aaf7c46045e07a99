"""Which packages are installed, in which versions, and whether they belong together."""

from __future__ import annotations

import platform
from dataclasses import dataclass
from importlib import import_module, metadata
from typing import TYPE_CHECKING, Final

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

from .places import without_places
from .problems import Problem

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

NAME: Final = "neuronexplain"

_FOR_DEVELOPERS: Final = frozenset({"dev", "docs", "test"})
_BOUND: Final = (NAME, "torchvision")
"""Packages whose requirements are checked: torchvision says which torch it is built against."""


@dataclass(frozen=True, slots=True)
class Software:
    """What is installed.

    Attributes:
        version: that of NeuronExplain; ``None`` where it is not installed but runs from its source.
        python: version and implementation.
        packages: versions of the packages that NeuronExplain needs, by name; ``None`` where one is missing.
        extras: the packages that each extra lacks; none where it is installed.
    """

    version: str | None
    python: str
    packages: Mapping[str, str | None]
    extras: Mapping[str, tuple[str, ...]]


def software() -> Software:
    """What is installed, from the packages' metadata: nothing is imported."""
    declared = _declared(NAME)
    extras = (metadata.metadata(NAME).get_all("Provides-Extra") or []) if _version(NAME) else []
    return Software(
        version=_version(NAME),
        python=f"{platform.python_version()} ({platform.python_implementation()})",
        packages={needed.name: _version(needed.name) for needed in _needed(declared)},
        extras={
            extra: tuple(sorted(one.name for one in _needed(declared, extra) if _version(one.name) is None))
            for extra in sorted(extras)
            if extra not in _FOR_DEVELOPERS
        },
    )


def software_problems(installed: Software) -> Iterator[Problem]:
    """Packages that are missing, that do not belong together, or that cannot be imported."""
    if installed.version is None:
        yield Problem("NeuronExplain runs from its source and is not installed", "pip install . in its folder")
    unmet = list(_unmet())
    yield from unmet or _imported("torch", "torchvision")


def _imported(*names: str) -> Iterator[Problem]:
    """Packages that do not load, or are built for different devices, as the ends of their versions say."""
    versions: dict[str, str] = {}
    for name in names:
        try:
            versions[name] = import_module(name).__version__
        except Exception as error:  # noqa: BLE001 -- a library that does not load can raise anything
            reason = without_places(" ".join(str(error).split())[:200])
            yield Problem(f"{name} cannot be imported ({type(error).__name__}: {reason})", f"install {name} again")
    builds = {Version(version).local for version in versions.values()} - {None}
    if len(builds) > 1:
        listed = " and ".join(f"{name} {version}" for name, version in versions.items())
        yield Problem(f"{listed} are built for different devices", "install both from one index of PyTorch's packages")


def _unmet() -> Iterator[Problem]:
    """What packages need and do not have; an extra that nobody asked for is no problem."""
    for package in _BOUND:
        for needed in _needed(_declared(package)):
            version = _version(needed.name)
            if version is None:
                yield Problem(f"{package} needs {needed}, which is not installed", f"pip install '{needed}'")
            elif not needed.specifier.contains(version, prereleases=True):
                yield Problem(
                    f"{package} {_version(package)} needs {needed}, and {needed.name} {version} is installed",
                    f"pip install --upgrade {package} {needed.name}",
                )


def _declared(package: str) -> list[Requirement]:
    """What an installed package says that it needs, anywhere and for any extra."""
    try:
        return list(map(Requirement, metadata.requires(package) or []))
    except metadata.PackageNotFoundError:
        return []


def _needed(declared: Sequence[Requirement], extra: str = "") -> list[Requirement]:
    """What of it is needed on this machine: by the package itself, or by an extra besides."""
    return [
        needed
        for needed in declared
        if (needed.marker is None or needed.marker.evaluate({"extra": extra}))
        and (not extra or (needed.marker is not None and not needed.marker.evaluate({"extra": ""})))
        and canonicalize_name(needed.name) != NAME
    ]


def _version(package: str) -> str | None:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return None
