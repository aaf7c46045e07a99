"""Makes a network with a user's function: ``path/to/file.py:factory`` or ``package.module:factory``."""

from __future__ import annotations

import importlib
import importlib.util
import sys
from contextlib import contextmanager
from dataclasses import dataclass
from difflib import get_close_matches
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING

from torch import nn

from dissection.errors import NetworkError
from dissection.networks.network import Network

from .spec import NetworkSpec, load

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from types import ModuleType

    from dissection.networks.weights import WeightsFile


@dataclass(frozen=True, slots=True)
class Made:
    """The product of a factory.

    Attributes:
        product: the network or module.
        spec: names the factory from any folder.
        name: the factory's name.
    """

    product: nn.Module | Network
    spec: str
    name: str


def open_made(spec: str, weights: WeightsFile | Path | None = None) -> NetworkSpec:
    """The network that a factory makes, with a file's weights if one is given.

    Raises:
        NetworkError: if the factory cannot be found, fails, or gives something else.
        WeightsError: if the weights cannot be read or do not fit.
    """
    made = call_factory(spec)
    if isinstance(made.product, nn.Module):
        return NetworkSpec(load(made.product, weights), made.name, spec=made.spec)
    network = made.product
    if network.language is not None:
        module = load(network.language.module, weights)
        return NetworkSpec(module, network.name, spec=made.spec, talking=network)
    return NetworkSpec(
        load(network.module, weights),
        network.name,
        network.preprocessing,
        network.classes,
        network.layer.name,
        network.head.output,
        network.head.independent,
        made.spec,
    )


def call_factory(spec: str) -> Made:
    """Find and call a factory. A module, or a class of modules, is accepted as well.

    Raises:
        NetworkError: if it cannot be found, fails, or gives something else.
    """
    location, _, name = spec.rpartition(":")
    if not location.endswith(".py"):
        return Made(_product(spec, name, lambda: importlib.import_module(location)), spec, name)
    path = Path(location).expanduser().resolve()
    if not path.is_file():
        raise NetworkError(f"no file {path} to make a network from; give FILE.py:FACTORY")
    with _imports_from(path.parent):
        product = _product(spec, name, lambda: _run_file(path))
    return Made(product, f"{path}:{name}", name)


def _product(spec: str, name: str, load: Callable[[], ModuleType]) -> nn.Module | Network:
    try:
        code = load()
        factory = getattr(code, name, None)
        product = factory if isinstance(factory, nn.Module) or not callable(factory) else factory()
    except NetworkError:
        raise
    except (Exception, SystemExit) as error:
        reason = " ".join(str(error).split())[:300]
        raise NetworkError(f"{spec} failed with {type(error).__name__} ({reason}); correct it") from error
    if factory is None:
        raise NetworkError(_no_factory(code, spec, name))
    if not isinstance(product, (nn.Module, Network)):
        raise NetworkError(f"{spec} gives a {type(product).__name__}; let it give an nn.Module or a Network")
    return product


def _run_file(path: Path) -> ModuleType:
    """Run a file as a module with a unique name."""
    name = f"_network_{sha256(str(path).encode()).hexdigest()[:16]}"
    spec = importlib.util.spec_from_file_location(name, path)
    assert spec is not None
    assert spec.loader is not None
    code = importlib.util.module_from_spec(spec)
    sys.modules[name] = code
    spec.loader.exec_module(code)
    return code


@contextmanager
def _imports_from(folder: Path) -> Iterator[None]:
    """Let a file import its neighbours, and forget them afterwards: another folder may have the same module names."""
    before = set(sys.modules)
    sys.path.insert(0, str(folder))
    try:
        yield
    finally:
        sys.path.remove(str(folder))
        for name in set(sys.modules) - before:
            file = getattr(sys.modules[name], "__file__", None)
            if file and Path(file).is_relative_to(folder) and not name.startswith("_network_"):
                del sys.modules[name]


def _no_factory(code: ModuleType, spec: str, name: str) -> str:
    names = [
        key
        for key, thing in vars(code).items()
        if callable(thing) and getattr(thing, "__module__", "") == code.__name__
    ]
    near = get_close_matches(name, names, n=5, cutoff=0) or names[:5]
    offer = f"choose one of {', '.join(near)}" if near else "define one"
    return f"{spec}: no {name or 'factory'!r} is defined; {offer}"
