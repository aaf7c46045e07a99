"""Opens a labeller by the name that a user gives."""

from __future__ import annotations

from difflib import get_close_matches
from pathlib import Path
from typing import TYPE_CHECKING

from PIL import Image

from dissection.errors import NetworkError

if TYPE_CHECKING:
    from dissection.files.transfers import Bytes

    from .request import LabellerRequest
    from .segmenter import Segmenter

_HUB = "hf/"
_TRIED = (64, 64)


def open_segmenter(request: LabellerRequest, progress: Bytes | None = None) -> Segmenter:
    """The labeller of a request, ready to run; it was tried on a grey photograph.

    Args:
        request: what is asked for.
        progress: called with the bytes of published weights received, and all of them.

    Raises:
        NetworkError: if there is no such model, it does not label pixels, or something that it needs is not said.
        WeightsError: if its weights cannot be fetched or read, or do not fit.
    """
    if request.min_confidence is not None and not 0 <= request.min_confidence <= 1:
        raise NetworkError(
            f"a least confidence of {request.min_confidence} is not a share from 0 to 1; give one, 0.5 is usual"
        )
    segmenter = _opened(request, progress)
    segmenter.segment([Image.new("RGB", _TRIED, "grey")], 1)
    return segmenter


def _opened(request: LabellerRequest, progress: Bytes | None) -> Segmenter:
    name = request.model
    if name.startswith(_HUB):
        from .sources.hugging_face import open_hugging_face  # noqa: PLC0415 -- an extra

        return open_hugging_face(request)
    if request.masks:
        raise NetworkError(f"{name} gives no boxes, so --masks {request.masks} has nothing to cut out; leave it out")
    if ":" in name:
        from .sources.own import open_own  # noqa: PLC0415

        return open_own(request)
    from .sources.torchvision import open_torchvision, segmenter_names  # noqa: PLC0415 -- takes a second to import

    if name in segmenter_names():
        return open_torchvision(request, progress)
    raise NetworkError(_unknown(name, segmenter_names()))


def _unknown(name: str, published: tuple[str, ...]) -> str:
    from dissection.networks.sources.torchvision import published_names  # noqa: PLC0415

    if name in published_names():
        segmenters = f"{', '.join(published)}, or hf/NAME of a segmenter"
        return f"{name} is a classifier: it says what a photograph shows, but not where; give {segmenters}"
    if Path(name).expanduser().is_dir():
        return f"{name} is a folder; if transformers wrote it, give hf/{name}"
    if Path(name).suffix == ".py":
        return f"{name} names a file; say which function makes the model: {name}:FACTORY"
    near = get_close_matches(name.lower(), published, n=3, cutoff=0.5) or published
    return f"no labeller is called {name!r}; give {', '.join(near)}, hf/NAME, hf/FOLDER, or FILE.py:FACTORY"
