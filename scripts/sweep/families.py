"""One small network of every family of timm and of vit-pytorch, with random weights."""

from __future__ import annotations

import copy
import importlib
import inspect
import pkgutil
import re
import sys
from contextlib import nullcontext
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

import torch
from torch import nn
from torch.overrides import TorchFunctionMode

from dissection.networks.preprocessing import Preprocessing

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

SMALL = (
    *("atto", "femto", "pico", "nano", "micro", "xxs", "xxt", "xx_small", "tiny", "_n", "_t", "xs", "mini", "small"),
    *("_s", "lite", "0", "1", "2"),
)
"""What the names of small networks hold, the smallest first."""
TRIED = 3
"""Networks of a family whose weights are counted, of which the one with the fewest is opened."""

LARGEST = 30_000_000
"""Weights of the largest network that is opened."""
OTHER_INPUTS = {"frames", "num_frames", "max_frames", "seq_len", "sequence_length"}
"""Arguments of classes that take videos or sequences."""

SETTINGS: dict[str, Any] = {
    "image_size": 64, "img_size": 64, "patch_size": 8, "num_classes": 10, "dim": 64, "depth": 2, "heads": 2,
    "mlp_dim": 128, "dim_head": 32, "num_layers": 2, "num_heads": 2, "cls_depth": 1, "max_tokens_per_depth": (64, 32),
    "stages": 2, "mlp_mult": 2, "num_register_tokens": 4, "num_registers": 4, "num_jumbo_cls": 1, "jumbo_cls_k": 2,
    "jumbo_ff_mult": 2,
}  # fmt: skip
"""Arguments of vit-pytorch's classes, by their names."""
VIT = {name: SETTINGS[name] for name in ("image_size", "patch_size", "num_classes", "dim", "depth", "heads", "mlp_dim")}
SPECIAL: dict[str, Callable[[Any], nn.Module]] = {
    "cct": lambda code: code.cct_2(img_size=64, n_conv_layers=2, num_classes=10, positional_embedding="learnable"),
    "cross_vit": lambda code: code.CrossViT(
        image_size=64, num_classes=10, sm_dim=32, lg_dim=64, sm_patch_size=8, lg_patch_size=16, depth=1
    ),
    "distill": lambda code: code.DistillableViT(**VIT),
    "efficient": lambda code: code.ViT(
        image_size=64, patch_size=8, num_classes=10, dim=64, transformer=_Encoder(64, depth=2, heads=2)
    ),
    "learnable_memory_vit": lambda code: code.Adapter(vit=code.ViT(**VIT)),
    "look_vit": lambda code: code.LookViT(dim=64, image_size=64, num_classes=10, patch_size=16, highres_patch_size=8),
    "max_vit": lambda code: code.MaxViT(num_classes=10, dim=32, depth=(1, 1, 1, 1)),
    "max_vit_with_registers": lambda code: code.MaxViT(num_classes=10, dim=32, depth=(1, 1, 1, 1)),
    "mobile_vit": lambda code: code.MobileViT(
        (256, 256), [32, 48, 64], [8, 16, 24, 24, 32, 32, 48, 48, 64, 64, 128], num_classes=10
    ),
    "nest": lambda code: code.NesT(
        image_size=64, patch_size=4, num_classes=10, dim=32, heads=2, num_hierarchies=2, block_repeats=(1, 1)
    ),
    "pit": lambda code: code.PiT(**{**VIT, "depth": (1, 1)}),
    "scalable_vit": lambda code: code.ScalableViT(
        num_classes=10, dim=32, depth=(1, 1, 1, 1), heads=(1, 2, 2, 2), reduction_factor=(8, 4, 2, 1)
    ),
    "sep_vit": lambda code: code.SepViT(num_classes=10, dim=32, depth=(1, 1, 1, 1), heads=(1, 2, 2, 2)),
    "simple_vit_with_fft": lambda code: code.SimpleViT(**VIT, freq_patch_size=8),
    "simple_vit_with_hyper_connections": lambda code: code.SimpleViT(**VIT, num_residual_streams=2),
    "vit_nd": lambda code: code.ViTND(ndim=2, input_shape=64, **_without(VIT, "image_size")),
    "vit_nd_pope": lambda code: code.ViTND(ndim=2, input_shape=64, **_without(VIT, "image_size")),
    "vit_nd_rotary": lambda code: code.ViTND(ndim=2, input_shape=64, **_without(VIT, "image_size")),
    "wwt": lambda code: code.WWT(**VIT, num_slots=8),
}
"""How those of vit-pytorch's classes are made whose arguments are not in :data:`SETTINGS`, by module."""


SIDES = {"max_vit": 224, "max_vit_with_registers": 224, "mobile_vit": 256, "scalable_vit": 256, "sep_vit": 224}
"""Sides of their images, in pixels, where 64 do not do."""


class LeftOutError(Exception):
    """A family of which no network is opened, and why."""


@dataclass(frozen=True, slots=True)
class Family:
    """A module of timm or of vit-pytorch.

    Attributes:
        title: its name, with that of the library.
        make: makes its smallest network: the name, the network, and what it expects of a photograph.
    """

    title: str
    make: Callable[[], tuple[str, nn.Module, Preprocessing]]


def families() -> list[Family]:
    """Every family; of timm those first whose networks look small by their names."""
    return [*_timm_families(), *_vit_pytorch_families()]


def _timm_families() -> list[Family]:
    import timm  # noqa: PLC0415 -- an extra

    names = {
        module: sorted((name for name in timm.list_models(module=module) if not name.startswith("test_")), key=_rank)
        for module in timm.list_modules()
    }
    modules = sorted(names, key=lambda module: _rank(names[module][0]))
    return [Family(f"timm {module}", partial(_timm, timm, names[module][:TRIED])) for module in modules]


def _rank(name: str) -> tuple[int, int, str]:
    """Where a name stands among its family's, if what looks small comes first."""
    hint = next((place for place, hint in enumerate(SMALL) if hint in name), len(SMALL))
    numbers = re.findall(r"\d+", name)
    return hint, int(numbers[0]) if numbers else 0, name


def _weights(timm: Any, name: str) -> int:  # noqa: ANN401 -- timm is not typed
    """The number of a network's weights, without making them; 0 if that is not possible."""
    for ranges in (nullcontext(), _RangesOnCPU()):
        try:
            with torch.device("meta"), ranges:
                return sum(weight.numel() for weight in timm.create_model(name).parameters())
        except Exception:  # noqa: BLE001, S112 -- somebody else's constructors may raise anything
            continue
    return 0


class _RangesOnCPU(TorchFunctionMode):
    """Makes the numbers that constructors read, such as rates of dropout, while everything else has none."""

    def __torch_function__(
        self, func: Callable[..., Any], _types: object, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:  # noqa: ANN401 -- whatever the function gives
        kwargs = kwargs or {}
        return func(*args, **({"device": "cpu"} if func is torch.linspace else {}) | kwargs)


def _timm(timm: Any, names: Sequence[str]) -> tuple[str, nn.Module, Preprocessing]:  # noqa: ANN401 -- not typed
    weights = {name: count for name in names if (count := _weights(timm, name))}
    if not weights:
        raise LeftOutError(f"the number of weights of {', '.join(names)} cannot be counted before they are made")
    name = min(weights, key=weights.__getitem__)
    if weights[name] > LARGEST:
        raise LeftOutError(f"{name} has {weights[name] / 1e6:.0f} million weights")
    module = timm.create_model(name)
    channels, height, width = timm.data.resolve_data_config({}, model=module)["input_size"]
    return name, module, Preprocessing((height, width), (height, width)).changed(channels=channels)


def _vit_pytorch_families() -> list[Family]:
    try:
        import vit_pytorch  # noqa: PLC0415 -- for this sweep only
    except ImportError:
        print("vit-pytorch is not installed: pip install vit-pytorch", file=sys.stderr)
        return []
    names = [module.name for module in pkgutil.iter_modules(vit_pytorch.__path__)]
    return [Family(f"vit-pytorch {name}", partial(_vit_pytorch, name)) for name in names]


def _classifier(name: str) -> type[nn.Module] | None:
    """The module's last class that takes images and gives classes."""
    try:
        code = importlib.import_module(f"vit_pytorch.{name}")
    except ImportError:  # what it needs is not installed
        return None
    kinds = [kind for kind in vars(code).values() if inspect.isclass(kind) and kind.__module__ == code.__name__]
    for kind in reversed(kinds):
        parameters = set(inspect.signature(kind).parameters)
        if issubclass(kind, nn.Module) and "num_classes" in parameters and not OTHER_INPUTS & parameters:
            return kind
    return None


def _vit_pytorch(name: str) -> tuple[str, nn.Module, Preprocessing]:
    if name in SPECIAL:
        module = SPECIAL[name](importlib.import_module(f"vit_pytorch.{name}"))
        return f"{name}.{type(module).__name__}", module, _sized(SIDES.get(name, 64))
    if (kind := _classifier(name)) is None:
        raise LeftOutError("no classifier of images")
    parameters = inspect.signature(kind).parameters
    arguments = {key: value for key, value in SETTINGS.items() if key in parameters}
    side = 64 if {"image_size", "img_size"} & set(arguments) else 224
    return f"{name}.{kind.__name__}", kind(**arguments), _sized(side)


def _sized(side: int) -> Preprocessing:
    return Preprocessing((side, side), (side, side))


def _without(arguments: dict[str, Any], name: str) -> dict[str, Any]:
    return {key: value for key, value in arguments.items() if key != name}


class _Encoder(nn.Module):
    """An encoder of tokens, as the efficient ViT takes it."""

    def __init__(self, dim: int, *, depth: int, heads: int) -> None:
        super().__init__()
        layer = nn.TransformerEncoderLayer(dim, heads, 2 * dim, batch_first=True, norm_first=True)
        self.layers = nn.Sequential(*(copy.deepcopy(layer) for _ in range(depth)))

    def forward(self, tokens: torch.Tensor) -> torch.Tensor:
        """The tokens, encoded."""
        return self.layers(tokens)
