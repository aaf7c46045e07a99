"""What a network gives, turned into scores before any softmax: ``y`` of the Grad-CAM paper.

======================================  ==========================================================================
a network that gives                    has as scores
======================================  ==========================================================================
one tensor ``(images, classes)``        that tensor
several, in a tuple, list or mapping    the one that is called ``logits``, or that alone has such a shape, or is named
softmax or log-softmax at its end       the input of that softmax
a sigmoid for each class at its end     the input of that sigmoid; classes are independent of each other
one number                              ``(-z, z)``, the log-odds of "no" and "yes"; the sigmoid may be there or not
======================================  ==========================================================================

Probabilities whose softmax cannot be seen are refused: their gradients are other than the scores'.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor
from torch.overrides import TorchFunctionMode

from dissection.errors import NetworkError

from .operations import operation
from .recording import parts

if TYPE_CHECKING:
    from collections.abc import Callable

    from jaxtyping import Float
    from torch import nn

    from .recording import Recording, Value

_SOFTMAX = frozenset(("softmax", "log_softmax"))
_SIGMOID = frozenset(("sigmoid", "log_sigmoid", "logsigmoid"))
_PASSED = frozenset(("reshape", "view", "flatten", "unflatten", "squeeze", "unsqueeze", "log", "__getitem__"))
_NEAR = 1e-4


@dataclass(frozen=True, slots=True, eq=False)
class Given:
    """What a module gave, and what the function at its end was given, as often as it ran."""

    outputs: object
    inputs: tuple[Tensor, ...] = ()


@dataclass(frozen=True, slots=True)
class Head:
    """How scores are had from what a network gives.

    Attributes:
        output: key or position of the scores among several outputs; empty where there is one.
        ending: the function at the network's end whose input the scores are; empty where it has none.
        later: how often that function runs after that, for other outputs.
        independent: whether each class has a probability of its own, the sigmoid of its score.
    """

    output: str = ""
    ending: str = ""
    later: int = 0
    independent: bool = False

    def run(self, module: nn.Module, images: Float[Tensor, "images channels H W"]) -> Given:
        """Run the module, and keep what its ending is given."""
        if not self.ending:
            return Given(module(images))
        with _Inputs(self.ending) as seen:
            outputs = module(images)
        return Given(outputs, tuple(seen.inputs))

    def scores(self, given: Given, images: int) -> Float[Tensor, "images classes"]:
        """The scores in what a module gave for so many images.

        Raises:
            NetworkError: if there is anything but one row of scores per image.
        """
        found = parts(given.outputs).get(self.output)
        if self.ending:
            found = given.inputs[-1 - self.later] if len(given.inputs) > self.later else None
        if found is None or not _is_scores(found, images):
            raise NetworkError(f"the network gives {described(given.outputs if found is None else found)}; {_WANTED}")
        return _both(found.flatten(1))

    def probabilities(self, scores: Float[Tensor, "*images classes"]) -> Float[Tensor, "*images classes"]:
        """What the network thinks of each class: shares of 1, or of each class by itself."""
        return scores.sigmoid() if self.independent else scores.softmax(-1)


PLAIN = Head()
"""One tensor of scores, and nothing to be done."""


def find_head(recording: Recording, *, output: str = "", multi_label: bool = False) -> tuple[Head, Value | None, int]:
    """How a network's scores are had, the value to go back from in its data flow, and how many classes there are.

    Args:
        recording: one forward pass.
        output: which of several outputs holds the scores.
        multi_label: whether classes are independent of each other, where no sigmoid at the end tells.

    Raises:
        NetworkError: if the network gives no scores, or it cannot be told which output or what function they are.
    """
    name = _chosen(recording, output)
    given, value = parts(recording.output)[name], recording.outputs.get(name)
    ending = _ending(value, recording.kind) if value else None
    if ending is None and _are_probabilities(given):
        raise NetworkError(
            f"{recording.kind} gives probabilities, and no softmax at its end is seen to give them; alphas are "
            "gradients of the scores before it: give the network without its softmax"
        )
    function = ending.operation if ending else ""
    later = recording.values[recording.values.index(ending) + 1 :] if ending else ()
    classes = given.flatten(1).shape[1]
    independent = multi_label or classes == 1 or function in _SIGMOID
    head = Head(name, function, sum(value.operation == function for value in later), independent)
    return head, value, max(classes, 2)


def described(found: object) -> str:
    """What something is that should have been scores."""
    if isinstance(found, Tensor):
        return f"{str(found.dtype).removeprefix('torch.')} of shape {tuple(found.shape)}"
    return f"a {type(found).__name__}"


_WANTED = "one row of scores per image, (images, classes), is wanted"


def _chosen(recording: Recording, output: str) -> str:
    """Which output holds the scores."""
    kind, given = recording.kind, parts(recording.output)
    fitting = [name for name, part in given.items() if _is_scores(part, 1)]
    if output and output in fitting:
        return output
    if output:
        raise NetworkError(f"{kind} has no scores called {output!r}; {_listed(recording.output)}")
    if "logits" in fitting or len(fitting) == 1:
        return "logits" if "logits" in fitting else fitting[0]
    if not fitting:
        raise NetworkError(
            f"{kind} gives {_listed(recording.output)}; {_WANTED}: wrap it in a module that returns them"
        )
    raise NetworkError(f"{kind} gives {_listed(recording.output)}; say with --output which of them are the scores")


def _listed(given: object) -> str:
    if isinstance(given, Tensor) or not isinstance(given, (Mapping, tuple, list)):
        return f"{described(given)} for one image"
    return f"{len(given)} outputs ({', '.join(f'{name}: {described(part)}' for name, part in parts(given).items())})"


def _is_scores(part: object, images: int) -> bool:
    """Whether something is a row of numbers per image; further axes of length 1 do no harm."""
    if not isinstance(part, Tensor) or part.ndim < 2 or len(part) != images or not part.is_floating_point():
        return False
    return part.shape[1] > 0 and all(length == 1 for length in part.shape[2:])


def _ending(value: Value, kind: str) -> Value | None:
    """The softmax or sigmoid that the scores are but for their shape, or the logarithm of."""
    classes = value.numbers
    while value.operation in _PASSED and value.numbers == classes:
        value = value.parents[0]
    if value.operation not in _SOFTMAX | _SIGMOID:
        return None
    if value.numbers != classes:
        raise NetworkError(
            f"{kind} gives {classes} of {value.numbers} numbers that a {value.operation} makes; alphas are gradients "
            "of the scores before it: give the network without it"
        )
    return value


def _are_probabilities(given: Tensor) -> bool:
    """Whether one image's numbers look like a softmax's or its logarithm's."""
    numbers = given.flatten().double()
    if len(numbers) < 2:
        return False
    shares = bool((numbers >= 0).all()) and abs(float(numbers.sum()) - 1) < _NEAR
    return shares or (bool((numbers <= 0).all()) and abs(float(numbers.logsumexp(0))) < _NEAR)


def _both(scores: Float[Tensor, "images outputs"]) -> Float[Tensor, "images classes"]:
    """The log-odds of "no" and "yes" where there is one score."""
    return torch.cat([-scores, scores], 1) if scores.shape[1] == 1 else scores


class _Inputs(TorchFunctionMode):
    """Keeps what a function is given, as often as it runs."""

    def __init__(self, function: str) -> None:
        super().__init__()
        self.inputs: list[Tensor] = []
        self._function = function

    def __torch_function__(
        self, func: Callable[..., Any], _types: object, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:  # noqa: ANN401 -- whatever the function gives
        kwargs = kwargs or {}
        if operation(func, args, kwargs) == self._function:
            given = args[0] if args else kwargs["input"]
            self.inputs.append(given.clone())  # it may be overwritten in place
        return func(*args, **kwargs)
