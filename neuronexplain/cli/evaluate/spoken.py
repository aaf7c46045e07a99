"""Options of every protocol that measures a network that writes captions or answers questions."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated

import typer

from neuronexplain.cli import options
from neuronexplain.vocabulary import ViewKind

from .inputs import NetworkOptions
from .measuring import Measurement

if TYPE_CHECKING:
    from collections.abc import Sequence

    from neuronexplain.evaluation.ground_truth.truth import Ground
    from neuronexplain.evaluation.protocols.protocol import Protocol
    from neuronexplain.methods import Method
    from neuronexplain.vocabulary import MethodName

Methods = Annotated[
    list[options.Method] | None,
    typer.Option(
        "--method",
        help="Explanation method (repeatable); the first one's other maps are controls.",
        show_default="grad-cam",
    ),
]
ThreeMethods = Annotated[
    list[options.Method] | None,
    typer.Option(
        "--method",
        help="Explanation method (repeatable).",
        show_default="grad-cam, guided-backprop, guided-grad-cam",
    ),
]
THREE: tuple[MethodName, ...] = ("grad-cam", "guided-backprop", "guided-grad-cam")
"""The methods that Sec. 8 compares."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SpeakingNetwork:
    """A captioner or an answerer, which part of photographs it sees, and where results go."""

    network: NetworkOptions
    layer: Annotated[
        str | None, typer.Option(help="Layer of Grad-CAM, if not the one that the network comes with.")
    ] = None
    view: Annotated[ViewKind, typer.Option(help="What the network sees: the whole photograph, or its centre.")] = (
        "whole"
    )
    measurement: Measurement

    def run(self, protocol: Protocol, ground: Ground, methods: Sequence[Method] = ()) -> None:
        """Run a protocol over images that are open, with progress, and print its report."""
        self.measurement.measure(protocol, self.network.open(self.layer), methods, ground, view=self.view)


def methods_named(
    chosen: Sequence[options.Method] | None, *, default: Sequence[MethodName] = ("grad-cam",)
) -> list[Method]:
    """The methods that were chosen, or the default ones."""
    from neuronexplain.methods import METHODS

    return [METHODS[name] for name in options.method_names(chosen) or default]
