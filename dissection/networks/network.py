"""A network as this project sees it: a module, the layer to dissect, what it expects of a photograph, its classes."""

from __future__ import annotations

import hashlib
from dataclasses import asdict, dataclass, replace
from functools import cached_property
from itertools import chain
from typing import TYPE_CHECKING, Self

import torch
from torch import Tensor, nn

from dissection.errors import NetworkError
from dissection.layers import Layers, find_layer
from dissection.preprocessing import Preprocessing
from dissection.recording import record

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from dissection.precision import Precision
    from dissection.vocabulary import Layer

_SETTINGS = (
    *("kernel_size", "stride", "padding", "dilation", "groups", "padding_mode", "ceil_mode", "output_size"),
    *("eps", "negative_slope", "alpha", "approximate", "min_val", "max_val"),
)
"""What changes a standard module's answer without being a weight."""


@dataclass(frozen=True, slots=True)
class Source:
    """Where a network comes from: what :func:`open_network` needs to make it again.

    Attributes:
        network: a name, or ``file.py:factory``, or ``package.module:factory``.
        weights: path of a weights file, or ``None``.
    """

    network: str
    weights: str | None = None

    def to_json(self) -> dict[str, str | None]:
        """Plain JSON values."""
        return asdict(self)

    @classmethod
    def from_json(cls, values: Mapping[str, object]) -> Self:
        """The value that :meth:`to_json` was read from.

        Raises:
            NetworkError: if it is something else.
        """
        network, weights = values.get("network"), values.get("weights")
        if not isinstance(network, str) or not (weights is None or isinstance(weights, str)):
            raise NetworkError(f"{dict(values)} is no source of a network; name the network with --network")
        return cls(network, weights)


@dataclass(frozen=True, eq=False)
class Network:
    """A classifier, ready to be dissected and explained.

    Attributes:
        module: maps images ``(n, 3, h, w)`` to scores before the softmax ``(n, classes)``.
        name: name of the architecture, for people.
        layer: the layer to dissect.
        preprocessing: how a photograph becomes its input.
        classes: its labels by index.
        source: where it comes from, if it can be made again.
        precision: the arithmetic it runs in, see :mod:`dissection.precision`.
    """

    module: nn.Module
    name: str
    layer: Layer
    preprocessing: Preprocessing
    classes: tuple[str, ...]
    source: Source | None = None
    precision: Precision = "float32"

    @classmethod
    def from_module(
        cls,
        module: nn.Module,
        *,
        layer: str | None = None,
        preprocessing: Preprocessing | None = None,
        classes: Sequence[str] = (),
        name: str = "",
    ) -> Network:
        """A network of one's own. The module stays as it is; it is run once to see its layers and its scores.

        Without ``layer`` the last rectified convolutional map is taken, without ``preprocessing`` what ImageNet's
        networks expect, and without ``classes`` they are called "class 0", "class 1", and so on.

        Raises:
            LayerNotFoundError: if the layer does not exist, or has no feature map.
            NetworkError: if the module cannot run, gives no scores, or has another number of classes.
        """
        preprocessing = preprocessing or Preprocessing()
        recording = record(module, preprocessing.size)
        name = name or type(module).__name__
        count = _class_count(recording.output, name)
        layers = Layers(recording)
        tapped = layers.default() if layer is None else layers.named(layer)
        return cls(module, name, tapped, preprocessing, _labels(classes, count, name))

    @classmethod
    def of_any_output(
        cls, module: nn.Module, *, layer: str, preprocessing: Preprocessing | None = None, name: str = ""
    ) -> Network:
        """A module that takes images and gives whatever it gives: words, boxes, answers.

        It has no classes: what is explained of it is a callable, see :mod:`neuronexplain.methods.targets`. What it
        needs beside images belongs into a module around it, repeated for as many images as there are::

            class Asked(nn.Module):
                def __init__(self, model, question):
                    super().__init__()
                    self.model, self.question = model, question

                def forward(self, images):
                    return self.model(images, self.question.expand(len(images), -1))

            network = Network.of_any_output(Asked(vqa, question), layer="model.cnn.layer4")

        Raises:
            LayerNotFoundError: if the layer does not exist, or has no feature map.
            NetworkError: if the module cannot run on one image.
        """
        preprocessing = preprocessing or Preprocessing()
        tapped = Layers(record(module, preprocessing.size)).named(layer)
        return cls(module, name or type(module).__name__, tapped, preprocessing, ())

    @cached_property
    def fingerprint(self) -> str:
        """sha256 over architecture, layer, and every parameter and buffer; the same on every device.

        Read once: weights that change afterwards need a new :class:`Network`.
        """
        digest = hashlib.sha256()
        for line in chain([type(self.module).__name__, f"{self.layer.name} {self.layer.rectifier}"], self._modules()):
            digest.update(f"{line}\n".encode())
        tensors = chain(self.module.named_parameters(), self.module.named_buffers())
        for name, tensor in sorted(tensors, key=lambda item: item[0]):
            digest.update(f"{name} {tensor.dtype} {tuple(tensor.shape)}\n".encode())
            digest.update(_bytes(tensor))
        return digest.hexdigest()

    @property
    def device(self) -> torch.device:
        """Where its weights are."""
        tensors = chain(self.module.parameters(), self.module.buffers())
        return next((tensor.device for tensor in tensors), torch.device("cpu"))

    def at(self, layer: str) -> Network:
        """The same network, to be dissected at another layer.

        Raises:
            LayerNotFoundError: if the layer does not exist, or has no feature map.
        """
        return replace(self, layer=find_layer(self.module, layer, self.preprocessing.size))

    def to(self, device: torch.device | str) -> Network:
        """Itself on a device: moves the module, as ``nn.Module.to`` does.

        Raises:
            NetworkError: if there is no such device.
        """
        try:
            self.module.to(device)
        except (RuntimeError, AssertionError, NotImplementedError) as error:
            reason = str(error).strip().split("\n", maxsplit=1)[0]
            raise NetworkError(f"{self.name} cannot be moved to device {str(device)!r} ({reason}); try cpu") from error
        return self

    def _modules(self) -> Iterator[str]:
        """What is where, with the settings that no weight shows: a slope, a stride."""
        for name, part in self.module.named_modules():
            settings = {key: value for key in _SETTINGS if (value := getattr(part, key, None)) is not None}
            plain = {key: value for key, value in settings.items() if isinstance(value, (int, float, str, tuple))}
            yield f"{name} {type(part).__name__} {plain}"


def _bytes(tensor: Tensor) -> bytes:
    return tensor.detach().cpu().contiguous().reshape(-1).view(torch.uint8).numpy().tobytes()


def _class_count(output: object, name: str) -> int:
    wanted = "one row of scores per image, (images, classes), is wanted"
    if not isinstance(output, Tensor):
        raise NetworkError(f"{name} gives a {type(output).__name__}; {wanted}: wrap it in a module that returns them")
    if output.ndim != 2 or len(output) != 1 or not output.is_floating_point():
        kind = str(output.dtype).removeprefix("torch.")
        raise NetworkError(f"{name} gives {kind} of shape {tuple(output.shape)} for one image; {wanted}")
    return output.shape[1]


def _labels(classes: Sequence[str], count: int, name: str) -> tuple[str, ...]:
    if not classes:
        return tuple(f"class {index}" for index in range(count))
    if len(classes) != count:
        raise NetworkError(f"{name} has {count} classes, but {len(classes)} labels are given; give one label per class")
    return tuple(classes)
