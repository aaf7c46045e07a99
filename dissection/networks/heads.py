"""Turns the outputs of a network into scores before any softmax: ``y`` of the Grad-CAM paper.

======================================  ==========================================================================
a network that gives                    has as scores
======================================  ==========================================================================
one tensor ``(images, classes)``        that tensor
several, in a tuple, list or mapping    the one called ``logits``, or the only one of such a shape, or the one named
softmax or log-softmax at its end       the input of that softmax
a sigmoid for each class at its end     the input of that sigmoid; classes are independent of each other
one number, ``(images, 1)`` or          ``(-z, z)``, the log-odds of "no" and "yes"; with or without a sigmoid
``(images,)``
======================================  ==========================================================================

Probabilities whose softmax cannot be seen are refused: their gradients differ from those of the scores.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor
from torch.overrides import TorchFunctionMode

from dissection.errors import NetworkError

from .operations import RESHAPES, SOFTMAX, SQUEEZES, operation
from .recording import parts

if TYPE_CHECKING:
    from collections.abc import Callable

    from jaxtyping import Float
    from torch import nn

    from .recording import Recording, Value

_SIGMOID = frozenset(("sigmoid", "log_sigmoid", "logsigmoid"))
_PASSED = RESHAPES | SQUEEZES | {"log", "__getitem__"}
_NEAR = 1e-4


@dataclass(frozen=True, slots=True, eq=False)
class Given:
    """The outputs of a module, and every input of the function at its end."""

    outputs: object
    inputs: tuple[Tensor, ...] = ()


@dataclass(frozen=True, slots=True)
class Head:
    """How scores are read from a network's outputs.

    Attributes:
        output: key or position of the scores among several outputs; empty if there is only one.
        ending: the function at the network's end whose input is the scores; empty if it has none.
        later: how often that function runs after that, for other outputs.
        independent: whether each class has an independent probability, the sigmoid of its score.
    """

    output: str = ""
    ending: str = ""
    later: int = 0
    independent: bool = False

    def run(self, module: nn.Module, images: Float[Tensor, "images channels H W"]) -> Given:
        """Run the module, and keep the inputs of its ending."""
        if not self.ending:
            return Given(module(images))
        with _Inputs(self.ending) as ending:
            outputs = module(images)
        return Given(outputs, tuple(ending.inputs))

    def scores(self, given: Given, images: int) -> Float[Tensor, "images classes"]:
        """The scores among a module's outputs for ``images`` images.

        Raises:
            NetworkError: if there is anything but one row of scores per image.
        """
        scores = parts(given.outputs).get(self.output)
        if self.ending:
            scores = given.inputs[-1 - self.later] if len(given.inputs) > self.later else None
        if scores is None or not (_is_scores(scores, images) or _is_one_number(scores, images)):
            raise NetworkError(f"the network gives {described(given.outputs if scores is None else scores)}; {_NEEDED}")
        return _both(scores.reshape(images, -1))

    def probabilities(self, scores: Float[Tensor, "*images classes"]) -> Float[Tensor, "*images classes"]:
        """The network's probability of each class: all add up to 1, or each is independent."""
        return scores.sigmoid() if self.independent else scores.softmax(-1)


PLAIN = Head()
"""For a network that gives one tensor of scores."""


def find_head(recording: Recording, *, output: str = "", multi_label: bool = False) -> tuple[Head, Value | None, int]:
    """A network's head, the value of its output of scores in the data flow, and its number of classes.

    Args:
        recording: one forward pass.
        output: which of several outputs holds the scores.
        multi_label: whether classes are independent of each other, if no sigmoid at the end shows it.

    Raises:
        NetworkError: if the network gives no scores, or their output or their function cannot be determined.
    """
    name = _chosen(recording, output)
    scores, value = parts(recording.output)[name], recording.outputs.get(name)
    ending = _ending(value, recording.kind) if value else None
    if ending is None and _are_probabilities(scores):
        raise NetworkError(
            f"{recording.kind} gives probabilities, but no softmax at its end is seen; alphas are gradients of the "
            "scores before it: give the network without its softmax"
        )
    function = ending.operation if ending else ""
    later = recording.values[recording.values.index(ending) + 1 :] if ending else ()
    classes = scores.numel()
    independent = multi_label or classes == 1 or function in _SIGMOID
    head = Head(name, function, sum(value.operation == function for value in later), independent)
    return head, value, max(classes, 2)


def described(output: object) -> str:
    """What an output is that should have been scores."""
    if isinstance(output, Tensor):
        return f"{str(output.dtype).removeprefix('torch.')} of shape {tuple(output.shape)}"
    return f"a {type(output).__name__}"


_NEEDED = "one row of scores per image, (images, classes), is needed"


def _chosen(recording: Recording, output: str) -> str:
    """Which output holds the scores."""
    kind, outputs = recording.kind, parts(recording.output)
    fitting = [name for name, part in outputs.items() if _is_scores(part, 1)]
    fitting = fitting or [name for name, part in outputs.items() if _is_one_number(part, 1)]
    if output and output in fitting:
        return output
    if output:
        raise NetworkError(
            f"{kind} has no scores called {output!r}; it gives {_listed(recording.output)}: choose one of these"
        )
    if "logits" in fitting or len(fitting) == 1:
        return "logits" if "logits" in fitting else fitting[0]
    if not fitting:
        raise NetworkError(
            f"{kind} gives {_listed(recording.output)}; {_NEEDED}: wrap it in a module that returns them"
        )
    raise NetworkError(f"{kind} gives {_listed(recording.output)}; say with --output which of them are the scores")


def _listed(output: object) -> str:
    if isinstance(output, Tensor) or not isinstance(output, (Mapping, tuple, list)):
        return f"{described(output)} for one image"
    return f"{len(output)} outputs ({', '.join(f'{name}: {described(part)}' for name, part in parts(output).items())})"


def _is_scores(part: object, images: int) -> bool:
    """Whether an output is a row of numbers per image; further axes of length 1 are allowed."""
    if not isinstance(part, Tensor) or part.ndim < 2 or len(part) != images or not part.is_floating_point():
        return False
    return part.shape[1] > 0 and all(length == 1 for length in part.shape[2:])


def _is_one_number(part: object, images: int) -> bool:
    """Whether an output is a number per image, without an axis for it."""
    return isinstance(part, Tensor) and part.ndim <= 1 and part.numel() == images and part.is_floating_point()


def _ending(value: Value, kind: str) -> Value | None:
    """The softmax or sigmoid that gave a value, or its logarithm, in whatever shape."""
    classes = value.numbers
    while value.operation in _PASSED and value.numbers == classes:
        value = value.parents[0]
    if value.operation not in SOFTMAX | _SIGMOID:
        return None
    if value.numbers != classes:
        raise NetworkError(
            f"{kind} gives {classes} of {value.numbers} numbers that a {value.operation} makes; alphas are gradients "
            "of the scores before it: give the network without it"
        )
    return value


def _are_probabilities(scores: Tensor) -> bool:
    """Whether one image's numbers look like those of a softmax, or their logarithms."""
    numbers = scores.flatten().double()
    if len(numbers) < 2:
        return False
    shares = bool((numbers >= 0).all()) and abs(float(numbers.sum()) - 1) < _NEAR
    return shares or (bool((numbers <= 0).all()) and abs(float(numbers.logsumexp(0))) < _NEAR)


def _both(scores: Float[Tensor, "images outputs"]) -> Float[Tensor, "images classes"]:
    """The log-odds of "no" and "yes" if there is only one score."""
    return torch.cat([-scores, scores], 1) if scores.shape[1] == 1 else scores


class _Inputs(TorchFunctionMode):
    """Keeps the input of a function each time it runs."""

    def __init__(self, function: str) -> None:
        super().__init__()
        self.inputs: list[Tensor] = []
        self._function = function

    def __torch_function__(
        self, func: Callable[..., Any], _types: object, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:  # noqa: ANN401 -- whatever the function gives
        kwargs = kwargs or {}
        if operation(func, args, kwargs) == self._function:
            argument = args[0] if args else kwargs["input"]
            self.inputs.append(argument.clone())  # it may be overwritten in place
        return func(*args, **kwargs)
