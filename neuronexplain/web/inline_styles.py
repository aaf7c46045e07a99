"""Takes style attributes out of HTML, so that a policy need not allow them: it allows one style sheet by its hash.

An article's bars have their lengths in attributes, as a page that stands alone may. A policy with ``unsafe-inline``
would let any other attribute in too, such as one that slipped through as text.
"""

from __future__ import annotations

import base64
import hashlib
import re

from markupsafe import Markup

_ATTRIBUTE = re.compile(r' style="([^"<>]*)"')
"""In text of ours, where a stranger's quotation mark is an entity."""


def without_style_attributes(html: str) -> tuple[Markup, Markup]:
    """HTML that templates of ours have made, with its styles in a style sheet instead of attributes.

    >>> without_style_attributes('<b style="--share: 0.5">x</b>')
    (Markup('<b data-styled="0">x</b>'), Markup('[data-styled="0"]{--share: 0.5}'))
    """
    numbers: dict[str, int] = {}

    def numbered(match: re.Match[str]) -> str:
        return f' data-styled="{numbers.setdefault(match[1], len(numbers))}"'

    text = _ATTRIBUTE.sub(numbered, html)
    rules = "".join(f'[data-styled="{number}"]{{{style}}}' for style, number in numbers.items())
    return Markup(text), Markup(rules)  # noqa: S704 -- ours, and escaped


def policy_with(policy: str, style: str) -> str:
    """A Content-Security-Policy that also allows this text of a ``<style>`` element, and no other."""
    digest = base64.b64encode(hashlib.sha256(style.encode("utf-8", "replace")).digest()).decode()
    return policy.replace("style-src 'self'", f"style-src 'self' 'sha256-{digest}'")
