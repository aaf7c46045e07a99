"""Turns the roles in docstrings, such as :func:`build`, into links to what the reference documents, or into code."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import griffe
from python_pages import PAGES

if TYPE_CHECKING:
    from collections.abc import Mapping

_ROLE = re.compile(r":(?:func|class|mod|meth|attr|data|exc|obj):`([^`]+)`")
_DOCUMENTED: Mapping[str, str] = {name.rpartition(".")[2]: name for page in PAGES.values() for name in page.names}
"""The path of each documented name by its last part."""


class Roles(griffe.Extension):
    """Rewrites the docstring of every object that is read."""

    def on_object(self, *, obj: griffe.Object, **_: Any) -> None:  # noqa: ANN401 -- as griffe calls it
        """Replace the roles in the docstring of an object."""
        if obj.docstring:
            obj.docstring.value = _ROLE.sub(lambda role: linked(role[1], obj), obj.docstring.value)


def linked(name: str, obj: griffe.Object) -> str:
    """The link to what a role names, seen from the object whose docstring it is in; code where nothing documents it."""
    name = name.lstrip("~.")
    first, _, rest = name.partition(".")
    owner = next((part for part in obj.path.split(".") if part in _DOCUMENTED), None)
    if name.rpartition(".")[2] in _DOCUMENTED:
        return f"[`{name}`][{_DOCUMENTED[name.rpartition('.')[2]]}]"
    if first in _DOCUMENTED and rest:
        return f"[`{name}`][{_DOCUMENTED[first]}.{rest}]"
    if owner and not rest and _is_member(obj, name):
        return f"[`{name}`][{_DOCUMENTED[owner]}.{name}]"
    return f"`{name}`"


def _is_member(obj: griffe.Object, name: str) -> bool:
    """Whether an object, or the class that it belongs to, has a documented member of this name."""
    holder = obj if obj.is_class else obj.parent
    member = holder.members.get(name) if holder is not None and holder.is_class else None
    return member is not None and member.has_docstring
