"""Records one forward pass: which values came from which, and which modules gave them.

Module hooks alone miss ``F.relu``, and find an in-place ReLU's result where its input was; a function mode alone does
not know module names. Together they show a network's data flow without changing the network.

A *value* is what a tensor holds between two writes: an in-place operation makes a new value in the same tensor.
Operations that only pass a value on (dropout in evaluation mode, ``contiguous``) make none.
"""

from __future__ import annotations

import random
import re
from collections.abc import Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from functools import partial
from itertools import chain
from math import prod
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.parameter import is_lazy
from torch.overrides import TorchFunctionMode
from torch.utils.weak import WeakTensorKeyDictionary

from dissection.errors import NetworkError

from .isolation import tried
from .operations import ACTIVATIONS, COPIES, JOINS, PERMUTATIONS, PRODUCTS, operation
from .places import Places, Step

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from jaxtyping import Float

    from .preprocessing import Preprocessing

_PASSING = COPIES | {"dropout", "dropout2d", "alpha_dropout", "feature_alpha_dropout"}
_CHANNELS_LAST = frozenset(("linear", "layer_norm"))

_ACTIVATION_CLASS = re.compile(r"(elu6?|swish|silu|mish)(jit|me)?$", re.IGNORECASE)


@dataclass(eq=False, slots=True)
class Value:
    """What a tensor held between two writes.

    Attributes:
        operation: name of the function that made it, without the underscore of an in-place one.
        parents: the values it was made from.
        shape: the tensor's shape.
        floating: whether it holds floating-point numbers.
        channels: the axis of the channels, as far as operations show it.
        rectified: whether an activation made it, or it concatenates values that activations made.
        children: the values made from it.
        kernel: height and width of the kernel, if a convolution made it.
        module: the innermost module that made it; empty if that is the network itself.
        places: where in the image its numbers belong, as far as operations show.
        draw: a hash of the random number generators after it was drawn at random; 0 if it was not.
    """

    operation: str
    parents: tuple[Value, ...]
    shape: tuple[int, ...]
    floating: bool
    channels: int = 1
    rectified: bool = False
    children: list[Value] = field(default_factory=list)
    kernel: tuple[int, ...] = ()
    module: str = ""
    places: Places | None = None
    draw: int = 0

    @property
    def numbers(self) -> int:
        """How many numbers it holds."""
        return prod(self.shape)

    @property
    def is_map(self) -> bool:
        """Whether it is a feature map ``(1, units, h, w)`` of more than one cell."""
        if not self.floating or len(self.shape) != 4 or self.channels != 1:
            return False
        return self.shape[0] == 1 and self.shape[2] * self.shape[3] > 1


@dataclass(frozen=True, slots=True, eq=False)
class Call:
    """One run of one module. ``output`` is ``None`` if that is not a tensor, or does not depend on the image."""

    name: str
    inputs: tuple[Value, ...]
    output: Value | None


@dataclass(frozen=True, slots=True, eq=False)
class Recording:
    """A forward pass.

    Attributes:
        kind: class of the network.
        modules: names of its modules.
        image: the value of its input.
        values: every value that depends on the image, in order of creation.
        calls: every run of every module except the network itself, in order of completion.
        output: the network's output.
        outputs: the values of its parts, see :func:`parts`; only those that depend on the image.
        score: the value of the scores: of ``output`` if that is a tensor.
        may_vary: whether random numbers of Python or NumPy were drawn meanwhile, by whomever, or buffers were written.
    """

    kind: str
    modules: tuple[str, ...]
    image: Value
    values: tuple[Value, ...]
    calls: tuple[Call, ...]
    output: object
    outputs: Mapping[str, Value]
    score: Value | None
    may_vary: bool = False


def record(module: nn.Module, preprocessing: Preprocessing) -> Recording:
    """Run a module in evaluation mode on one image of noise, and leave it as it was.

    Raises:
        NetworkError: if the module cannot run on an image of this size, holds a program that cannot be looked into, or
            has weights without shape or values.
    """
    _require_readable(module)
    ledger, outside = _Ledger(module), (_other_generators(), _buffers(module))
    image = noise(module, preprocessing)
    start = ledger.enter(image, "image", ())
    start.places = Places.of_map(image.shape)
    with tried(module), _noted(module, ledger):
        try:
            with ledger:
                output = module(image)
            may_vary = outside != (_other_generators(), _buffers(module))
        except NetworkError:
            raise
        except Exception as error:
            raise NetworkError(_cannot_run(module, image, error)) from error
    names = tuple(name for name, _ in module.named_modules() if name)
    values, calls = tuple(ledger.values), tuple(ledger.calls)
    outputs = {name: value for name, part in parts(output).items() if (value := ledger.value(part))}
    return Recording(
        type(module).__name__,
        names,
        start,
        values,
        calls,
        output,
        outputs,
        ledger.value(output),
        may_vary,
    )


def parts(output: object) -> dict[str, Tensor]:
    """The tensors in a network's output, by key, field or position; a single tensor has the name ``""``."""
    if isinstance(output, Tensor):
        return {"": output}
    if isinstance(output, tuple) and (as_dict := getattr(output, "_asdict", None)):
        output = as_dict()
    if isinstance(output, (tuple, list)):
        output = dict(enumerate(output))
    named = output.items() if isinstance(output, Mapping) else ()
    return {str(name): part for name, part in named if isinstance(part, Tensor)}


class _Ledger(TorchFunctionMode):
    """Follows the values of one forward pass."""

    def __init__(self, module: nn.Module) -> None:
        super().__init__()
        self.values: list[Value] = []
        self.calls: list[Call] = []
        self._running: list[tuple[str, tuple[Value, ...]]] = []
        self._held = WeakTensorKeyDictionary()
        self._devices = devices_of(module)

    def value(self, thing: object) -> Value | None:
        """What a tensor holds now, if that depends on the image."""
        return self._held[thing][0] if isinstance(thing, Tensor) and thing in self._held else None

    def enter(self, tensor: Tensor, operation: str, parents: tuple[Value, ...]) -> Value:
        """Record that a tensor holds a new value."""
        module = self._running[-1][0] if self._running else ""
        value = Value(operation, parents, tuple(tensor.shape), tensor.is_floating_point(), module=module)
        value.channels = _channels(value)
        value.rectified = _is_rectified(value)
        for parent in parents:
            parent.children.append(value)
        self.values.append(value)
        self._held[tensor] = (value, _version(tensor))
        return value

    def starts(self, name: str, _part: nn.Module, args: object, kwargs: object) -> None:
        """Note the inputs of a module that is about to run, since it may overwrite them."""
        self._running.append((name, self._known((args, kwargs))))

    def ends(self, name: str, part: nn.Module, _args: object, _kwargs: object, output: object) -> None:
        """Record that a module has run. Whatever it did out of sight counts as one operation."""
        _, inputs = self._running[-1]
        for tensor in tensors(output):
            if inputs and self.value(tensor) is None:
                self.enter(tensor, type(part).__name__, inputs)
        self._running.pop()
        result = self.value(output)
        if result and result not in inputs and is_activation(part) and result.shape == inputs[0].shape:
            result.rectified = True
        self.calls.append(Call(name, inputs, result))

    def __torch_function__(
        self, func: Callable[..., Any], _types: object, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:  # noqa: ANN401 -- whatever the function gives
        kwargs = kwargs or {}
        name, parents = operation(func, args, kwargs), self._known((args, kwargs))
        before = _generators(self._devices)
        result = func(*args, **kwargs)
        after = _generators(self._devices)
        draw = after if after != before else 0
        if name == "__setitem__":
            self.enter(args[0], name, parents)
        step = Step(name, func, args, kwargs, self._places_of, self._is_known)
        results = tensors(result) if parents else []
        places = dict(zip(map(id, results), step.follow(results), strict=True))
        for tensor in tensors(result) if parents or draw else ():
            if name in _PASSING and not draw and not self._is_unwritten(tensor):
                self._held[tensor] = (parents[0], _version(tensor))
            elif draw or not self._is_unwritten(tensor):
                value = self.enter(tensor, name, parents)
                value.draw = draw
                value.places = places.get(id(tensor))
                if name in PERMUTATIONS:
                    value.channels = _moved(parents[0], partial(func, **kwargs), args)
                if name.startswith("conv"):
                    value.kernel = tuple((args[1] if len(args) > 1 else kwargs["weight"]).shape[2:])
        return result

    def _is_known(self, thing: object) -> bool:
        return self.value(thing) is not None

    def _places_of(self, thing: object) -> Places | None:
        value = self.value(thing)
        return value.places if value else None

    def _known(self, things: object) -> tuple[Value, ...]:
        return tuple(dict.fromkeys(value for tensor in tensors(things) if (value := self.value(tensor))))

    def _is_unwritten(self, tensor: Tensor) -> bool:
        """Whether a known tensor still holds the same value."""
        return tensor in self._held and self._held[tensor][1] == _version(tensor)


def _channels(value: Value) -> int:
    """The channel axis; an operation that changes the number of axes is assumed to put channels first."""
    if value.operation in _CHANNELS_LAST:
        return len(value.shape) - 1
    if value.operation.startswith("conv") or not value.parents:
        return 1
    parent = value.parents[0]
    return parent.channels if len(parent.shape) == len(value.shape) else 1


def _moved(parent: Value, move: Callable[..., Tensor], args: tuple[Any, ...]) -> int:
    """Where a permutation takes the channel axis, read off from axes of different lengths."""
    axes = torch.empty(tuple(range(2, 2 + len(parent.shape))), device="meta")
    return move(axes, *args[1:]).shape.index(2 + parent.channels) if args else parent.channels


def _is_rectified(value: Value) -> bool:
    if value.operation in JOINS:
        return all(parent.rectified for parent in value.parents)
    return value.operation in ACTIVATIONS or _is_swish(value)


def _is_swish(value: Value) -> bool:
    """Whether a value is ``x * sigmoid(x)``, written out."""
    gates = [parent for parent in value.parents if parent.operation == "sigmoid"]
    return value.operation in PRODUCTS and any(gate.parents[0] in value.parents for gate in gates)


def is_activation(part: nn.Module) -> bool:
    """Whether a module is an activation by its class's name: ``MemoryEfficientSwish``, ``HardMishJit``."""
    return not any(True for _ in part.children()) and bool(_ACTIVATION_CLASS.search(type(part).__name__))


def _version(tensor: Tensor) -> int:
    """The number of writes. Tensors of inference mode have none, so every result counts as new."""
    return -id(object()) if tensor.is_inference() else tensor._version  # noqa: SLF001 -- there is no other way to see a write


def tensors(things: object) -> list[Tensor]:
    """The tensors among things, however deep in lists, tuples and dictionaries; ragged ones are no maps."""
    among: list[Tensor] = []
    waiting = [things]
    while waiting:
        thing = waiting.pop()
        if isinstance(thing, Tensor):
            if not thing.is_nested:
                among.append(thing)
        elif isinstance(thing, dict):
            waiting.extend(reversed(thing.values()))
        elif isinstance(thing, (list, tuple)):
            waiting.extend(reversed(thing))
    return among


def noise(module: nn.Module, preprocessing: Preprocessing, seed: int = 0) -> Float[Tensor, "1 channels h w"]:
    """An image like a normalised photograph, the same for each seed, of the module's type and on its device."""
    image = torch.randn(1, preprocessing.channels, *preprocessing.size, generator=torch.Generator().manual_seed(seed))
    return in_type_of(module, image)


def devices_of(module: nn.Module) -> set[torch.device]:
    """The devices of a module's weights."""
    return {tensor.device for tensor in chain(module.parameters(), module.buffers())}


def in_type_of(module: nn.Module, images: Float[Tensor, "images channels h w"]) -> Float[Tensor, "images channels h w"]:
    """Images in the floating-point type of a module's weights, on their device."""
    reference = next((weight for weight in module.parameters() if weight.is_floating_point()), images)
    return images.to(reference.device, reference.dtype, non_blocking=True)


def _generators(devices: Iterable[torch.device]) -> int:
    """A hash of torch's random number generators that a module on these devices can use without naming them."""
    states = [torch.get_rng_state(), *(torch.cuda.get_rng_state(device) for device in devices if device.type == "cuda")]
    return hash(tuple(state.numpy().tobytes() for state in states))


def _other_generators() -> int:
    """A hash of the global random number generators of Python and of NumPy."""
    return hash((random.getstate(), str(np.random.get_state(legacy=False))))  # noqa: NPY002 -- a network may use it


def _buffers(module: nn.Module) -> list[tuple[int, int]]:
    """Which tensors the buffers are, and how often each was written to."""
    return [(id(buffer), _version(buffer)) for buffer in module.buffers()]


def _require_readable(module: nn.Module) -> None:
    for name, part in module.named_modules():
        if isinstance(part, torch.jit.ScriptModule):
            kind = type(module).__name__
            subject = f"module {name!r} of {kind} is" if name else "the network is"
            raise NetworkError(
                f"{subject} a TorchScript program, whose layers cannot be read; make the network without torch.jit, or "
                "export it with torch.export.save as a .pt2"
            )
    for name, tensor in chain(module.named_parameters(), module.named_buffers()):
        if is_lazy(tensor):
            raise NetworkError(
                f"{name!r} of {type(module).__name__} has no shape until the network has seen an image; run it once on "
                "one like yours, or load its weights, before it is read"
            )
        if tensor.is_meta:
            raise NetworkError(
                f"{name!r} of {type(module).__name__} is on the device 'meta', where weights have no values; make the "
                "network on another one, and load its weights"
            )


@contextmanager
def _noted(module: nn.Module, ledger: _Ledger) -> Iterator[None]:
    with ExitStack() as hooks:
        for name, part in module.named_modules():
            if name:
                start = part.register_forward_pre_hook(partial(ledger.starts, name), with_kwargs=True)
                end = part.register_forward_hook(partial(ledger.ends, name), with_kwargs=True, prepend=True)
                hooks.callback(start.remove)
                hooks.callback(end.remove)
        yield


def _cannot_run(module: nn.Module, image: Tensor, error: Exception) -> str:
    reason = " ".join(str(error).split())[:200]
    _, channels, height, width = image.shape
    first = next((part for part in module.modules() if isinstance(part, nn.Conv2d)), None)
    advice = "give the size it needs with --input-size"
    if first is not None and first.in_channels != channels:
        remedy = _ADVICE.get(first.in_channels, _WRAP)
        advice = f"its first convolution takes {first.in_channels} channels; {remedy}"
    kind = {1: "a grey", 3: "an RGB"}.get(channels, f"a {channels}-channel")
    failure = f"{type(error).__name__}: {reason}"
    return f"{type(module).__name__} cannot run on {kind} image of {height}x{width} ({failure}); {advice}"


_ADVICE = {1: "give --channels 1", 3: "give --channels 3"}
_WRAP = "wrap it in a module that makes them from red, green and blue"
