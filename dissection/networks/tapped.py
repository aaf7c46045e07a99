"""A module that is tapped at a layer, with what it expects of a photograph, and its classes."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field, replace
from functools import cached_property
from itertools import chain
from typing import TYPE_CHECKING, Self, TypeVar

import torch
from torch.fx import Graph

from dissection.errors import NetworkError

from .body import body_fingerprint, content, described
from .called import Called
from .heads import PLAIN, Head, find_head
from .layers import FeatureMap, Layers
from .network_arguments import input_of, labels_of, require_module
from .placing import layouts_of, place
from .recording import record
from .trials import require_certain, require_independent

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from torch import nn

    from dissection.vocabulary import Layer, Precision

    from .dictionaries.taking_apart import AppliedDictionary
    from .foreign_preprocessing import PreprocessingLike
    from .map_layouts import Layout
    from .network_source import Source
    from .preprocessing import Preprocessing
    from .recording import Recording

_AnyNetwork = TypeVar("_AnyNetwork", bound="TappedNetwork")


@dataclass(frozen=True, eq=False)
class TappedNetwork:
    """A module, ready to be dissected and explained at a layer.

    Attributes:
        module: takes images ``(n, channels, h, w)``.
        name: name of the architecture, for people.
        layer: the layer to dissect.
        preprocessing: how a photograph becomes its input.
        classes: its labels by index.
        head: how scores before the softmax ``(n, classes)`` are read from the module's outputs.
        source: where it comes from, if it can be made again.
        precision: the arithmetic it runs in, see :mod:`dissection.networks.precision`.
        layouts: by layer, where its map lies in its output, if its shape alone does not show that.
        switches_autograd: whether it uses autograd's switch, as far as is known.
        body: fingerprint of what its layer's map is computed from, if that was found before, see `body_fingerprint`.
        dictionary: what takes its layer apart, if its units are the features of a dictionary, see `with_dictionary`.
    """

    module: nn.Module
    name: str
    layer: Layer
    preprocessing: Preprocessing
    classes: tuple[str, ...]
    head: Head = PLAIN
    source: Source | None = None
    precision: Precision = "float32"
    layouts: Mapping[str, Layout] = field(default_factory=dict)
    switches_autograd: bool = True
    body: str = ""
    dictionary: AppliedDictionary | None = None

    @classmethod
    def from_module(
        cls,
        module: nn.Module,
        *,
        layer: str | None = None,
        preprocessing: PreprocessingLike | None = None,
        classes: Sequence[str] = (),
        name: str = "",
        output: str = "",
        multi_label: bool = False,
    ) -> Self:
        """A network from a user's module, which stays as it is.

        It is run a few times on noise, to find its layers and its scores, see :mod:`dissection.networks.heads`, and
        whether it can be relied upon, see :mod:`dissection.networks.trials`.

        Args:
            module: the network.
            layer: the layer to dissect; by default the last rectified convolutional map.
            preprocessing: how a photograph becomes its input: a :class:`Preprocessing`, ``weights.transforms()``, a
                ``Compose`` of torchvision's transforms, or timm's data config. By default what ImageNet's networks
                expect, with an :class:`AssumedPreprocessingWarning`.
            classes: labels; by default "class 0", "class 1", and so on. One label "X" for one score means "no X", "X".
            name: name of the architecture, for people.
            output: key or position of the scores, if several of the module's outputs could be them.
            multi_label: whether classes are independent of each other, if no sigmoid at the end shows it.

        Raises:
            LayerNotFoundError: if the layer does not exist, or has no feature map.
            NetworkError: if the module cannot run, gives no scores, has another number of classes, or does not always
                give an image the same scores.
            NotConnectedError: if no gradient of the scores reaches the layer.
            TypeError: if it is no module.
        """
        require_module(module)
        expected, name = input_of(module, preprocessing, name)
        recording = record(module, expected)
        head, score, count = find_head(recording, output=output, multi_label=multi_label)
        require_certain(module, expected, recording, [score] if score else [])
        layers = Layers(recording, score)
        tapped = layers.default() if layer is None else layers.named(layer)
        return _tapped(cls(module, name, tapped, expected, labels_of(classes, count, name), head), layers, recording)

    @classmethod
    def of_any_output(
        cls, module: nn.Module, *, layer: str, preprocessing: PreprocessingLike | None = None, name: str = ""
    ) -> Self:
        """A network from a module that takes images and gives anything: words, boxes, answers.

        It has no classes: a callable says what to explain, see :mod:`neuronexplain.methods.targets`. If it needs more
        than images, wrap it in a module that repeats the other inputs for every image::

            class Asked(nn.Module):
                def __init__(self, model, question):
                    super().__init__()
                    self.model, self.question = model, question

                def forward(self, images):
                    return self.model(images, self.question.expand(len(images), -1))

            network = Network.of_any_output(Asked(vqa, question), layer="model.cnn.layer4")

        Raises:
            LayerNotFoundError: if the layer does not exist, or has no feature map.
            NetworkError: if the module cannot run on one image, or does not always give the same answers for it.
        """
        require_module(module)
        expected, name = input_of(module, preprocessing, name)
        recording = record(module, expected)
        require_certain(module, expected, recording, list(recording.outputs.values()))
        layers = Layers(recording)
        return _tapped(cls(module, name, layers.named(layer), expected, ()), layers, recording)

    @property
    def fingerprint(self) -> str:
        """sha256 by which the runs of the network are known; the same on every device.

        Over the whole network, since runs hold what matters for its classes; if it has none, over its body. Each is
        computed once: if the weights change afterwards, make a new network.
        """
        return self.whole_fingerprint if self.classes else self.body_fingerprint

    @cached_property
    def body_fingerprint(self) -> str:
        """sha256 over what the layer's map is computed from, which is all that the names of its units depend on.

        It is the same wherever the body is built in, see :mod:`dissection.networks.body`.
        """
        return self.body or body_fingerprint(self.module, self.preprocessing, self.layer, self.layout)

    @cached_property
    def whole_fingerprint(self) -> str:
        """sha256 over architecture, layer, every parameter and buffer, what it can answer, and what it is asked.

        It tells apart two networks with the same body, whose units have the same names.
        """
        digest = hashlib.sha256()
        for line in self._lines():
            digest.update(f"{line}\n".encode())
        tensors = chain(self.module.named_parameters(), self.module.named_buffers())
        for name, tensor in sorted(tensors, key=lambda item: item[0]):
            digest.update(f"{name} {tensor.dtype} {tuple(tensor.shape)}\n".encode())
            digest.update(content(tensor))
        return digest.hexdigest()

    @property
    def layout(self) -> Layout | None:
        """Where the layer's map lies in its output, if that is unusual."""
        return self.layouts.get(self.layer.name)

    @property
    def device(self) -> torch.device:
        """The device of its weights."""
        tensors = chain(self.module.parameters(), self.module.buffers())
        return next((tensor.device for tensor in tensors), torch.device("cpu"))

    @property
    def plain(self) -> Self:
        """The same network without a dictionary, tapped at the layer that this takes apart."""
        applied = self.dictionary
        if applied is None:
            return self
        return replace(
            self,
            module=applied.module_of(self.module),
            layer=applied.layer,
            layouts=applied.layouts,
            source=applied.source,
            body=applied.body,
            dictionary=None,
        )

    def at(self, layer: str) -> Self:
        """The same network without a dictionary, to be dissected at another layer.

        Raises:
            LayerNotFoundError: if the layer does not exist, or has no feature map.
            NotConnectedError: if no gradient of the scores reaches the layer.
        """
        if self.dictionary is not None:
            return self.plain.at(layer)
        recording = record(self.module, self.preprocessing)
        layers = Layers(recording)
        return _tapped(replace(self, layer=layers.named(layer)), layers, recording)

    def feature_maps(self) -> list[FeatureMap]:
        """Every layer that can be dissected, in order of execution."""
        layers = Layers(record(self.module, self.preprocessing))
        maps = layers.maps()
        placed = layouts_of(self.module, self.preprocessing, layers, [feature_map.layer for feature_map in maps])
        return [
            FeatureMap(placed[name][0], feature_map.rectified, placed[name][1])
            for feature_map in maps
            if (name := feature_map.layer.name) in placed
        ]

    def reading(self, maps: Iterable[FeatureMap]) -> Self:
        """The same network, to be read at several layers that :meth:`feature_maps` found."""
        layouts = {feature_map.layer.name: feature_map.layout for feature_map in maps if feature_map.layout}
        return replace(self, layouts={**layouts, **self.layouts})

    def to(self, device: torch.device | str) -> Self:
        """Move the module to a device, as ``nn.Module.to`` does; returns this network.

        Raises:
            NetworkError: if there is no such device.
        """
        try:
            self.module.to(device)
        except (RuntimeError, AssertionError, NotImplementedError) as error:
            reason = str(error).strip().split("\n", maxsplit=1)[0]
            raise NetworkError(f"{self.name} cannot be moved to device {str(device)!r} ({reason}); try cpu") from error
        return self

    def _what_it_can_say(self) -> Iterator[str]:
        """What changes its answers without being a weight, or a setting of a module."""
        return iter(())

    def _lines(self) -> Iterator[str]:
        """The modules by name, with the settings that no weight shows: a slope, a stride, an unusual head."""
        yield type(self.module).__name__
        yield f"{self.layer.name} {self.layer.rectifier}"
        if self.layout:
            yield str(self.layout)
        if self.head != PLAIN:
            yield str(self.head)
        yield from self._what_it_can_say()
        for name, part in self.module.named_modules():
            yield f"{name} {described(part)}"
            if isinstance(graph := getattr(part, "graph", None), Graph):  # an exported program's settings are in there
                yield str(graph)


def _tapped(network: _AnyNetwork, layers: Layers, recording: Recording) -> _AnyNetwork:
    """The same network, with its layer's map as it lies in the image, and tried at that layer.

    Raises:
        LayerNotFoundError: if it cannot be told how the map lies.
        NetworkError: if an image's answers depend on other images.
        NotConnectedError: if no gradient of the scores reaches the layer.
    """
    module, preprocessing = network.module, network.preprocessing
    layer, layout = place(module, preprocessing, layers, network.layer, network.name)
    head = network.head if network.classes or isinstance(module, Called) else None
    switches = require_independent(module, preprocessing, recording, head, layer, layout)
    layouts = {layer.name: layout} if layout else {}
    is_of_body = network.body or not network.classes
    body = body_fingerprint(module, preprocessing, layer, layout) if is_of_body else ""
    return replace(network, layer=layer, layouts=layouts, switches_autograd=switches, body=body)
