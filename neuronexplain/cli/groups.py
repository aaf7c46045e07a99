"""Options that several commands take together, as one value.

A group is a dataclass whose fields are options, or groups again. A command that is :func:`grouped` has a parameter for
each of its groups; on the command line their fields are options like any other::

    @grouped
    def pointing(*, tolerance: Annotated[int, typer.Option(min=0)] = 0, comparison: Comparison) -> None: ...
"""

from __future__ import annotations

from dataclasses import dataclass, is_dataclass
from functools import partial, wraps
from inspect import Parameter, Signature, signature
from typing import TYPE_CHECKING, Any, get_type_hints

from . import console, options

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from pathlib import Path

    from dissection.networks.network import Network


def grouped(command: Callable[..., None]) -> Callable[..., None]:
    """A command in whose signature typer sees the options of its groups; it is called with the groups made of them."""

    @wraps(command)
    def call(**values: object) -> None:
        command(**_arguments(command, values))

    call.__signature__ = Signature(list(_parameters(command)))  # type: ignore[attr-defined]
    return call


def _parameters(taker: Callable[..., object]) -> Iterator[Parameter]:
    """Those of a command or a group, with those of its groups in the groups' places."""
    hints = get_type_hints(taker, include_extras=True)
    for parameter in signature(taker).parameters.values():
        hint = hints[parameter.name]
        if _is_group(hint):
            yield from _parameters(hint)
        else:
            yield parameter.replace(annotation=hint, kind=Parameter.KEYWORD_ONLY)


def _arguments(taker: Callable[..., object], values: Mapping[str, object]) -> dict[str, Any]:
    """What a command or a group takes of some values, with groups made of theirs."""
    hints = get_type_hints(taker)
    return {
        name: hints[name](**_arguments(hints[name], values)) if _is_group(hints[name]) else values[name]
        for name in signature(taker).parameters
    }


def _is_group(hint: object) -> bool:
    return isinstance(hint, type) and is_dataclass(hint)


@dataclass(frozen=True, slots=True, kw_only=True)
class NetworkSettings:
    """What a network expects and gives, where that differs from what its source says."""

    classes: options.Classes = None
    mean: options.Mean = None
    std: options.Std = None
    input_size: options.InputSize = None
    resize: options.Resize = None
    channels: options.Channels = None
    output: options.Output = None
    multi_label: options.MultiLabel = False

    def open(self, network: str, *, weights: Path | None, layer: str | None, device: str) -> Network:
        """The network of a name, with these settings; a bar shows how weights are fetched."""
        from dissection.networks.opening import open_network

        with console.bytes_progress() as progress:
            return open_network(
                network,
                weights=weights,
                layer=layer,
                classes=self.classes,
                device=device,
                progress=partial(progress, "fetching the weights"),
                mean=options.numbers(self.mean) if self.mean else None,
                std=options.numbers(self.std) if self.std else None,
                input_size=self.input_size,
                resize=options.resizing(self.resize) if self.resize else None,
                channels=self.channels,
                output=self.output,
                multi_label=self.multi_label or None,
            )
