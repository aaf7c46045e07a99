"""Pages made of templates that treat every value as hostile, and the files that they load."""

from __future__ import annotations

from functools import cache
from hashlib import sha256
from importlib.resources import files
from types import MappingProxyType
from typing import TYPE_CHECKING, Final

from fastapi.responses import HTMLResponse, Response
from jinja2 import ChoiceLoader, PackageLoader

from neuronexplain.report.page import environment

if TYPE_CHECKING:
    from collections.abc import Mapping

    from jinja2 import Environment

_TYPES: Final = MappingProxyType({".css": "text/css", ".js": "text/javascript", ".svg": "image/svg+xml"})
_A_YEAR: Final = "public, max-age=31536000, immutable"


def page(template: str, status: int = 200, **values: object) -> HTMLResponse:
    """An answer made of a template in ``web/templates`` and its values."""
    return HTMLResponse(text(template, **values).encode("utf-8", "replace"), status)


def text(template: str, **values: object) -> str:
    """The HTML of a template in ``web/templates``."""
    return _environment().get_template(template).render(**values)


def static(name: str) -> Response | None:
    """A file of ``web/static``, or ``None``; names are looked up in a list, and never joined to a path."""
    content = _static().get(name)
    if content is None:
        return None
    return Response(content, headers={"cache-control": _A_YEAR}, media_type=_TYPES[f".{name.rpartition('.')[2]}"])


@cache
def _environment() -> Environment:
    pages = environment()
    pages.loader = ChoiceLoader([PackageLoader("neuronexplain.web"), PackageLoader("neuronexplain.report")])
    pages.globals["static"] = _address
    return pages


def _address(name: str) -> str:
    """Where a file is served; a changed one has another address, so that browsers can keep it for ever."""
    return f"/static/{name}?{sha256(_static()[name]).hexdigest()[:12]}"


@cache
def _static() -> Mapping[str, bytes]:
    """The files by name. The style sheet begins with the one of the pages that ``neuronexplain.report`` makes."""
    folder = files("neuronexplain.web") / "static"
    contents = {file.name: file.read_bytes() for file in folder.iterdir() if file.name.endswith(tuple(_TYPES))}
    report = [environment().get_template(name).render().encode() for name in ("common.css", "page.css")]
    return contents | {"style.css": b"\n".join([*report, contents["style.css"]])}
