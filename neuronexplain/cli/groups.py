"""Groups of options that several commands share, each group as one value.

A group is a dataclass whose fields are options or further groups. A :func:`grouped` command has a parameter for each of
its groups; on the command line their fields are options like any other::

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
    """Show typer the options of a command's groups in its signature, and make the groups when the command is called."""

    @wraps(command)
    def call(**values: object) -> None:
        command(**_arguments(command, values))

    call.__signature__ = Signature(list(_parameters(command)))  # type: ignore[attr-defined]
    return call


def _parameters(command_or_group: Callable[..., object]) -> Iterator[Parameter]:
    """The parameters of a command or a group, with each of its groups replaced by the group's parameters."""
    hints = get_type_hints(command_or_group, include_extras=True)
    for parameter in signature(command_or_group).parameters.values():
        hint = hints[parameter.name]
        if _is_group(hint):
            yield from _parameters(hint)
        else:
            yield parameter.replace(annotation=hint, kind=Parameter.KEYWORD_ONLY)


def _arguments(command_or_group: Callable[..., object], values: Mapping[str, object]) -> dict[str, Any]:
    """The arguments of a command or a group, picked from ``values``, with its groups made from theirs."""
    hints = get_type_hints(command_or_group)
    return {
        name: hints[name](**_arguments(hints[name], values)) if _is_group(hints[name]) else values[name]
        for name in signature(command_or_group).parameters
    }


def _is_group(hint: object) -> bool:
    return isinstance(hint, type) and is_dataclass(hint)


@dataclass(frozen=True, slots=True, kw_only=True)
class NetworkSettings:
    """A network's inputs and outputs, where they differ from what its source says."""

    classes: options.Classes = None
    mean: options.Mean = None
    std: options.Std = None
    input_size: options.InputSize = None
    resize: options.Resize = None
    channels: options.Channels = None
    output: options.Output = None
    multi_label: options.MultiLabel = False

    def open(
        self,
        network: str,
        *,
        weights: Path | None,
        ema: bool,
        layer: str | None,
        device: str,
        dictionary: Path | None = None,
    ) -> Network:
        """Open a network by name with these settings; a bar shows the download of its weights."""
        from dissection.networks.opening import open_network

        with console.bytes_progress() as progress:
            return open_network(
                network,
                weights=weights,
                ema=ema,
                layer=layer,
                classes=self.classes,
                dictionary=dictionary,
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
