"""The README as a package index shows it; a hook of hatchling's, see `pyproject.toml`.

There a relative link leads nowhere, and a relative picture is a hole. As soon as ``[project.urls]`` names a repository,
both become absolute, and show the files of this version. Until then links become their text, and pictures are left out.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from hatchling.metadata.plugin.interface import MetadataHookInterface

_FENCES = re.compile(r"(^```.*?^```$)", re.MULTILINE | re.DOTALL)
_HERE = r"(?!\w+:|#)"  # an address has a scheme, and an anchor stays on the page
_PICTURE = re.compile(rf"!\[([^\]]*)\]\({_HERE}([^)\s]+)\)")
_TAG = re.compile(rf"""<(?:img|source)\b[^>]*\bsrc(?:set)?=["']{_HERE}[^>]*>""")
_ANCHOR = re.compile(rf"""<a\b[^>]*\bhref=["']{_HERE}[^>]*>(.*?)</a>""", re.DOTALL)
_ATTRIBUTE = re.compile(rf"""\b(src|srcset|href)=["']{_HERE}([^"']+)["']""")
_LINK = re.compile(rf"\[((?:[^\[\]]|!\[[^\]]*\]\([^)]*\))*)\]\({_HERE}([^)\s]+)\)")


def for_index(text: str, repository: str = "", version: str = "") -> str:
    """Markdown without relative addresses; code in fences is left as it is.

    >>> for_index("See [docs](docs/README.md).", "https://host/us/it", "1.0")
    'See [docs](https://host/us/it/blob/v1.0/docs/README.md).'
    >>> for_index("See [docs](docs/README.md). ![A page](page.jpg)")
    'See docs. '
    """
    parts = _FENCES.split(text)
    parts[::2] = [_changed(part, repository.rstrip("/"), version) for part in parts[::2]]
    return "".join(parts)


def _changed(text: str, repository: str, version: str) -> str:
    if not repository:
        return _LINK.sub(r"\1", _ANCHOR.sub(r"\1", _TAG.sub("", _PICTURE.sub("", text))))
    raw, page = (f"{repository}/{kind}/v{version}/" for kind in ("raw", "blob"))
    text = _PICTURE.sub(rf"![\1]({raw}\2)", text)
    text = _ATTRIBUTE.sub(lambda one: f'{one[1]}="{page if one[1] == "href" else raw}{one[2]}"', text)
    return _LINK.sub(rf"[\1]({page}\2)", text)


class IndexReadme(MetadataHookInterface):
    """Puts it into the package's metadata."""

    def update(self, metadata: dict[str, Any]) -> None:
        """Called by hatchling with what ``[project]`` says."""
        text = Path(self.root, "README.md").read_text(encoding="utf-8")
        shown = for_index(text, metadata.get("urls", {}).get("Repository", ""), metadata["version"])
        metadata["readme"] = {"content-type": "text/markdown", "text": shown}
