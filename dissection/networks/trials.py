"""What a network must not do, and where its maps lie: tried on a few images when it is opened.

- Its answer for an image is always the same: nothing that the scores are computed from is drawn at random, or kept from
  one run to the next.
- Its answer for an image does not depend on the other images of a batch.
- The scores can be differentiated with respect to the layer's map.
- Each cell of a map lies where it is read, see :mod:`dissection.networks.places` and
  :mod:`dissection.networks.mosaics`.
"""

from __future__ import annotations

import random
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor, nn

from dissection.errors import NetworkError, NotConnectedError

from .graphs import reached
from .heads import Given
from .isolation import tried
from .mosaics import Mosaics, find_layout
from .recording import devices_of, noise, parts, record, tensors
from .tap import Cut, GuardedBody

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from jaxtyping import Float
    from torch.autograd.graph import Node

    from dissection.vocabulary import Layer

    from .heads import Head
    from .map_layouts import Layout
    from .preprocessing import Preprocessing
    from .recording import Recording, Value

_TOLERANCE = {torch.float64: 1e-6, torch.float32: 3e-3, torch.float16: 3e-2, torch.bfloat16: 1e-1}
_UNLIKE = 2.0
_REPEATS = 4


def require_certain(
    module: nn.Module, preprocessing: Preprocessing, recording: Recording, answers: Sequence[Value]
) -> None:
    """Check that an image's answers are always the same; what is drawn at random, but seeded, may be drawn.

    Raises:
        NetworkError: if they are not; the message names the module that draws, or keeps something from run to run.
    """
    if any(value.draw for value in recording.values):
        with _generators_kept(module) as generators:
            for generator in generators:
                generator.seed()
            again = {value.draw for value in record(module, preprocessing).values}
        for value in reached(answers, lambda value: value.parents):
            if value.draw and value.draw not in again:
                raise NetworkError(_is_random(recording.kind, f"{_named(module, value.module)} ({value.operation})"))
    if recording.may_vary:
        _require_same_again(module, preprocessing, recording)


def _require_same_again(module: nn.Module, preprocessing: Preprocessing, recording: Recording) -> None:
    image, once = noise(module, preprocessing), parts(recording.output)
    with tried(module):
        for _ in range(_REPEATS):
            again = parts(module(image))
            if not all(_is_same(once[name], again[name]) for name in once.keys() & again.keys()):
                raise NetworkError(_changes(module, recording.kind, image))


def require_independent(
    module: nn.Module,
    preprocessing: Preprocessing,
    recording: Recording,
    head: Head | None,
    layer: Layer,
    layout: Layout | None,
) -> bool:
    """Check an image's answers beside another image, and that the scores can be differentiated.

    Args:
        module: the network.
        preprocessing: what it expects of a photograph.
        recording: its answers for the first image alone.
        head: how scores are read; ``None`` if the network has other answers.
        layer: the layer to tap.
        layout: its layout, if that is unusual.

    Returns:
        Whether the network uses autograd's switch, see :class:`dissection.networks.tap.GuardedBody`.

    Raises:
        NetworkError: if the answers are other ones, the message names the module that makes the difference; or if the
            network does not run on two images.
        NotConnectedError: if what lies between the layer and the scores hides from autograd.
    """
    pair = _two_images(module, preprocessing)
    body = GuardedBody()
    cut = Cut(module, layer, layout, body)
    with tried(module), _together(module, pair), body, cut:
        given = head.run(module, pair) if head else module(pair)
    together, alone = parts(given.outputs if isinstance(given, Given) else given), parts(recording.output)
    shared = [name for name, values in together.items() if name in alone and values.ndim and len(values) == 2]
    if not all(_is_same(alone[name], together[name]) for name in shared):
        with tried(module):
            raise NetworkError(_other_answers(module, recording.kind, pair))
    if head:
        _require_connected(head.scores(given, 2), cut.output, recording.kind, layer)
    return body.is_needed


def find_layouts(
    module: nn.Module,
    preprocessing: Preprocessing,
    layers: Sequence[Layer],
    usual: Mapping[str, Layout | None],
) -> dict[str, tuple[Layer, Layout]]:
    """Layers with maps as they lie in the image, found in one pass; those are left out for which that is unclear.

    Args:
        module: the network.
        preprocessing: what it expects of a photograph.
        layers: layers, as the shapes of their outputs suggest.
        usual: by layer, the layout that the shape suggests.

    Raises:
        NetworkError: if the network does not run on several images.
    """
    if not layers:
        return {}
    images = _two_images(module, preprocessing)
    one, other = images[:1], images[1:]
    mosaics = Mosaics.of(one, other, max(max(layer.height, layer.width) for layer in layers))
    found: dict[str, tuple[Layer, Layout]] = {}

    def look(layer: Layer, _part: nn.Module, _inputs: object, output: Tensor) -> None:
        if len(output) != len(mosaics.images):
            return
        if (seen := find_layout(output, mosaics, usual[layer.name])) is not None:
            layout, height, width = seen
            sized = replace(layer, units=output.shape[layout.axis], height=height, width=width)
            found[layer.name] = sized, layout

    with tried(module), ExitStack() as hooks:
        for layer in layers:
            part = module.get_submodule(layer.name)
            hooks.callback(part.register_forward_hook(partial(look, layer), prepend=True).remove)
        hooks.enter_context(_together(module, mosaics.images))
        module(mosaics.images)
    return found


@contextmanager
def _together(module: nn.Module, images: Float[Tensor, "images channels H W"]) -> Iterator[None]:
    """Run a network that runs on one image on several, or say that it cannot."""
    try:
        yield
    except NetworkError:
        raise
    except Exception as error:
        raise NetworkError(
            f"{type(module).__name__} runs on one image, but not on {len(images)} at once ({type(error).__name__}: "
            f"{' '.join(str(error).split())[:200]}); it must take any number of images"
        ) from error


def _two_images(module: nn.Module, preprocessing: Preprocessing) -> Float[Tensor, "2 channels H W"]:
    """The recorded image, and one of another colour and contrast."""
    one, other = noise(module, preprocessing), noise(module, preprocessing, seed=1)
    colour = torch.randn(1, one.shape[1], 1, 1, generator=torch.Generator().manual_seed(2)).to(one)
    return torch.cat([one, _UNLIKE * (other + colour)])


def _is_same(alone: Tensor, together: Tensor) -> bool:
    """Whether the first image's numbers are the same; further images may lie along the first axis or the second."""
    beside = together.narrow(0, 0, len(alone)) if alone.ndim else together
    if beside.shape != alone.shape and alone.ndim > 1:
        beside = together.narrow(1, 0, alone.shape[1])
    if beside.shape != alone.shape or not alone.is_floating_point():
        return True
    tolerance = _TOLERANCE[alone.dtype] * float(alone.detach().abs().nan_to_num(0, 0, 0).max()) if alone.numel() else 0
    return torch.allclose(alone, beside, rtol=0, atol=tolerance, equal_nan=True)


def _other_answers(module: nn.Module, kind: str, pair: Float[Tensor, "2 channels H W"]) -> str:
    """Why an image's answers differ: by themselves, or because of another image."""
    if _changing(module, pair[:1]) is not None:
        return _changes(module, kind, pair[:1])
    odd = _odd(_runs_of(module, pair[:1]), _runs_of(module, pair)) or ""
    return (
        f"{kind} gives an image other scores beside other images: {_named(module, odd)} mixes the images of a batch in "
        "evaluation mode; let it keep them apart (BatchNorm: track_running_stats=True, attention: "
        "batch_first=True; an exported program: model.eval() before the export)"
    )


_Run = tuple[str, list[Tensor], list[Tensor]]


def _runs_of(module: nn.Module, images: Tensor) -> list[_Run]:
    """Each run of each module that is being tried, in order of completion: its name, its inputs and its outputs."""
    runs: list[_Run] = []
    started: list[list[Tensor]] = []

    def starts(_part: nn.Module, args: object, kwargs: object) -> None:
        started.append([tensor.clone() for tensor in tensors((args, kwargs))])

    def ends(name: str, _part: nn.Module, _args: object, output: object) -> None:
        runs.append((name, started.pop(), [tensor.clone() for tensor in tensors(output)]))

    with ExitStack() as hooks:
        for name, part in module.named_modules():
            hooks.callback(part.register_forward_pre_hook(starts, with_kwargs=True).remove)
            hooks.callback(part.register_forward_hook(partial(ends, name)).remove)
        module(images)
    return runs


def _odd(alone: Sequence[_Run], others: Sequence[_Run]) -> str | None:
    """The innermost module that makes other outputs of the same inputs, if there is one."""
    for (name, inputs, outputs), (other_name, other_inputs, other_outputs) in zip(alone, others, strict=False):
        if name != other_name:
            return None
        if all(map(_is_same, inputs, other_inputs)) and not all(map(_is_same, outputs, other_outputs)):
            return name
    return None


def _changing(module: nn.Module, image: Float[Tensor, "1 channels H W"]) -> str | None:
    """The innermost module that makes other outputs of the same image in another run, if some runs show one."""
    once = _runs_of(module, image)
    odd = (_odd(once, _runs_of(module, image)) for _ in range(_REPEATS))
    return next((name for name in odd if name is not None), None)


def _require_connected(scores: Tensor, maps: Tensor, kind: str, layer: Layer) -> None:
    between = reached([scores.grad_fn] if scores.grad_fn else [], _earlier)
    if not any(getattr(function, "variable", None) is maps for function in between):
        raise NotConnectedError(
            f"no gradient of {kind}'s scores reaches layer {layer.name!r}: they do not depend on it, or between them "
            "lies torch.no_grad, torch.inference_mode, detach() or a reentrant checkpoint; choose a layer behind that, "
            "or change it"
        )
    if any("CheckpointFunction" in function.name() for function in between):
        raise NotConnectedError(
            f"{kind} has a reentrant checkpoint between layer {layer.name!r} and its scores, which autograd cannot "
            "differentiate with respect to a map; make it with use_reentrant=False"
        )


def _earlier(function: Node) -> list[Node]:
    return [earlier for earlier, _ in function.next_functions if earlier]


def _changes(module: nn.Module, kind: str, image: Float[Tensor, "1 channels H W"]) -> str:
    """Why a network's answers for one image change from run to run: with random numbers, or whatever is drawn."""
    runs = [_runs_with_same_draws(module, image) for _ in range(2)]
    if (odd := _odd(*runs)) is not None:
        return (
            f"{kind} gives an image other scores each time: {_named(module, odd)} keeps something from one run to the "
            "next, or draws from a generator of its own; let it begin anew with each image in evaluation mode"
        )
    odd = _changing(module, image)
    return _is_random(kind, "something in its forward" if odd is None else _named(module, odd))


def _runs_with_same_draws(module: nn.Module, image: Float[Tensor, "1 channels H W"]) -> list[_Run]:
    with _generators_kept(module) as generators:
        for generator in generators:
            generator.manual_seed(0)
        random.seed(0)
        np.random.seed(0)  # noqa: NPY002 -- the one that a network may use
        return _runs_of(module, image)


@contextmanager
def _generators_kept(module: nn.Module) -> Iterator[list[torch.Generator]]:
    """The generators of torch that a module uses; afterwards they, Python's and NumPy's are as before."""
    devices = [device for device in devices_of(module) if device.type == "cuda"]
    states = random.getstate(), np.random.get_state()  # noqa: NPY002
    with torch.random.fork_rng(devices=devices):
        try:
            yield [torch.default_generator, *(torch.cuda.default_generators[device.index] for device in devices)]
        finally:
            random.setstate(states[0])
            np.random.set_state(states[1])  # noqa: NPY002


def _is_random(kind: str, subject: str) -> str:
    return (
        f"{kind} gives an image other scores each time: {subject} draws random numbers in evaluation mode; let it draw "
        "in training only (training=self.training; an exported program: model.eval() before the export)"
    )


def _named(module: nn.Module, name: str) -> str:
    kind = type(module.get_submodule(name)).__name__
    return f"module {name!r} ({kind})" if name else f"the forward of {kind} itself"
