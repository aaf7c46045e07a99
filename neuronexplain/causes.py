"""What scores owe to the units of a layer: alphas, effects, potentials, and what is lost without some of the units.

Two ways lead there. :class:`AnyHead` differentiates each image's score and runs the head again without the units.
:class:`PooledLinearHead` needs neither: where global average pooling and one linear layer follow, alphas ``w_ck / Z``
are the same for every image (Grad-CAM paper, Sec. 3.1), and everything else is linear in them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

import torch

from dissection.networks.forward import Pass, forward, forward_from
from neuronexplain.methods.constant_alphas import has_constant_alphas
from neuronexplain.methods.gradcam import combination, contributions, effects, mean, potentials
from neuronexplain.methods.targets import of_class
from neuronexplain.methods.trace import gradients

if TYPE_CHECKING:
    from collections.abc import Sequence

    from jaxtyping import Float, Int64
    from torch import Tensor

    from dissection.networks.network import Network
    from dissection.networks.reruns import NotedPass, Reruns

_TOLERANCE = 1e-4


@dataclass(frozen=True, slots=True, eq=False)
class Causes:
    """What each image's score owes to each unit.

    Attributes:
        alphas: Eq. 1.
        contributions: ``alpha_k mean(A^k)``.
        effects: what the score loses to first order without the unit.
        potentials: what it would gain to first order from the unit's lit map.
        combination: ``sum_k alpha_k A^k``, Eq. 2 before its ReLU; of features, of the map that they are made of.
        left_over: where units are features, what it owes to the rest of the map, and to the whole.
    """

    alphas: Float[Tensor, "images units"]
    contributions: Float[Tensor, "images units"]
    effects: Float[Tensor, "images units"]
    potentials: Float[Tensor, "images units"]
    combination: Float[Tensor, "images h w"]
    left_over: Float[Tensor, "images 2"] | None = None

    def less(self, other: Causes) -> Causes:
        """What the difference of two scores owes to each unit: all of it is linear in the score."""
        return Causes(
            self.alphas - other.alphas,
            self.contributions - other.contributions,
            self.effects - other.effects,
            self.potentials - other.potentials,
            self.combination - other.combination,
        )


class Seen(Protocol):
    """A forward pass of some images that can be asked what its scores owe to the units."""

    @property
    def result(self) -> Pass:
        """The scores and maps."""
        ...

    def causes(self, targets: Int64[Tensor, " images"]) -> Causes:
        """What each image's score for its target owes to each unit."""
        ...

    def losses(self, targets: Int64[Tensor, " images"], units: Sequence[Sequence[int]]) -> list[float]:
        """What each image's score for its target loses when these of its units are silent."""
        ...

    def gains(self, targets: Int64[Tensor, " images"], units: Sequence[Sequence[int]]) -> list[float]:
        """What each image's score for its target gains when the maps of these of its units are their lit maps."""
        ...


class Head(Protocol):
    """What follows a layer, with the lit maps of the layer's units."""

    def look(self, images: Float[Tensor, "images channels H W"]) -> Seen:
        """Run the network on images.

        Raises:
            ActivationError: if the map's shape is not the same as when the network was opened.
            NetworkError: if the network gives anything but one row of scores per image.
        """
        ...


@dataclass(frozen=True, slots=True, eq=False)
class AnyHead:
    """A head of any kind: differentiated for each image, and run again for losses."""

    network: Network
    reruns: Reruns
    lit_maps: Float[Tensor, "units h w"]

    def look(self, images: Float[Tensor, "images channels H W"]) -> Seen:
        """Run the network on images; the head has a graph."""
        return _Differentiable(self, self.reruns.forward(images))


@dataclass(frozen=True, slots=True, eq=False)
class _Differentiable:
    head: AnyHead
    noted: NotedPass

    @property
    def result(self) -> Pass:
        return self.noted.result

    def causes(self, targets: Int64[Tensor, " images"]) -> Causes:
        result = self.result
        whole = result.activation if result.whole is None else result.whole
        slope, slope_of_whole = gradients(of_class(result.scores, targets), [result.activation, whole])
        activation, alphas = result.activation.detach(), mean(slope)
        of_units = effects(slope, activation)
        return Causes(
            alphas,
            contributions(alphas, activation),
            of_units,
            potentials(slope, self.head.lit_maps),
            combination(mean(slope_of_whole), whole),
            None if result.whole is None else self._left_over(slope_of_whole, of_units),
        )

    def _left_over(
        self, slope: Float[Tensor, "images whole_units h w"], of_features: Float[Tensor, "images units"]
    ) -> Float[Tensor, "images 2"]:
        """What each score owes to the residual: to the whole, less to the features and to what each place has anyway.

        The slope of a feature is ``decoder dy/dA``, so that the effects of features are those of what they decode to.
        """
        assert self.result.whole is not None
        assert self.head.network.dictionary is not None
        offset = self.head.network.dictionary.dictionary.offset.to(slope)
        total = effects(slope, self.result.whole).sum(1)
        of_offset = torch.einsum("nkhw,k->n", slope, offset)
        return torch.stack([total - of_features.sum(1) - of_offset, total], 1)

    def losses(self, targets: Int64[Tensor, " images"], units: Sequence[Sequence[int]]) -> list[float]:
        return [-change for change in self._changes(targets, units, torch.zeros_like(self.head.lit_maps))]

    def gains(self, targets: Int64[Tensor, " images"], units: Sequence[Sequence[int]]) -> list[float]:
        return self._changes(targets, units, self.head.lit_maps)

    def _changes(
        self,
        targets: Int64[Tensor, " images"],
        units: Sequence[Sequence[int]],
        replacements: Float[Tensor, "units h w"],
    ) -> list[float]:
        """What becomes of each image's score when the maps of some of its units are replaced."""
        if not any(units):
            return [0.0] * len(units)
        maps = self.result.activation.detach().clone()
        for number, changed in enumerate(units):
            maps[number, list(changed)] = replacements[list(changed)].to(maps)
        before, after = self.result.scores.detach(), self.head.reruns.scores(self.noted, maps)
        changes: list[float] = (of_class(after, targets).double() - of_class(before, targets).double()).tolist()
        return changes


class PooledLinearHead:
    """Global average pooling and one linear layer: alphas are read once per class, and no image is differentiated.

    Args:
        network: the network.
        probe: a pass of it with maps from elsewhere, whose graph is kept.
        lit_maps: the units' lit maps.
    """

    def __init__(self, network: Network, probe: Pass, lit_maps: Float[Tensor, "units h w"]) -> None:
        self._network = network
        self._probe = probe
        self._alphas: dict[int, Float[Tensor, " units"]] = {}
        self.lit_sums = lit_maps.sum((1, 2))

    @classmethod
    def of(cls, network: Network, lit_maps: Float[Tensor, "units h w"]) -> PooledLinearHead | None:
        """The head of a network if it is of this kind and no dictionary stands before it, and otherwise ``None``."""
        if network.dictionary is not None:
            return None
        layer = network.layer
        generator = torch.Generator().manual_seed(0)
        maps = torch.rand(1, layer.units, layer.height, layer.width, generator=generator)
        probe = forward_from(network, maps)
        weights = torch.randn(len(network.classes), generator=generator).to(probe.scores)
        (slope,) = gradients(probe.scores @ weights, [probe.activation])
        unevenness = (slope - mean(slope)[:, :, None, None]).abs().max()
        is_pooled = bool(unevenness <= _TOLERANCE * slope.abs().max())
        return cls(network, probe, lit_maps) if is_pooled and has_constant_alphas(network) else None

    def look(self, images: Float[Tensor, "images channels H W"]) -> Seen:
        """Run the network on images."""
        result = forward(self._network, images)
        return _Linear(self, result, result.activation.detach().mean((2, 3)))

    def alphas(self, targets: Sequence[int]) -> Float[Tensor, "images units"]:
        """The alphas of classes."""
        for target in set(targets) - set(self._alphas):
            (slope,) = gradients(self._probe.scores[:, target], [self._probe.activation])
            self._alphas[target] = mean(slope)[0]
        return torch.stack([self._alphas[target] for target in targets])


@dataclass(frozen=True, slots=True, eq=False)
class _Linear:
    head: PooledLinearHead
    result: Pass
    means: Float[Tensor, "images units"]

    def causes(self, targets: Int64[Tensor, " images"]) -> Causes:
        alphas = self.head.alphas(targets.tolist())
        shares = alphas * self.means
        area = self.result.activation.shape[2:].numel()
        return Causes(
            alphas,
            shares,
            area * shares,
            alphas * self.head.lit_sums.to(alphas),
            combination(alphas, self.result.activation),
        )

    def losses(self, targets: Int64[Tensor, " images"], units: Sequence[Sequence[int]]) -> list[float]:
        return _sums(self.causes(targets).effects, units)

    def gains(self, targets: Int64[Tensor, " images"], units: Sequence[Sequence[int]]) -> list[float]:
        causes = self.causes(targets)
        return _sums(causes.potentials - causes.effects, units)


def _sums(values: Float[Tensor, "images units"], units: Sequence[Sequence[int]]) -> list[float]:
    """The sum over some of the units of each image."""
    by_image = values.double().cpu()
    return [float(of_units[list(chosen)].sum()) for of_units, chosen in zip(by_image, units, strict=True)]
