"""JSON as the command line writes it: strict, and without characters that steer a terminal."""

from __future__ import annotations

import json

from fastapi.responses import JSONResponse

from dissection.plain_text import visible_json


class PlainJSON(JSONResponse):
    """A value as ``--json`` prints it."""

    def render(self, content: object) -> bytes:
        """The value as UTF-8."""
        text = json.dumps(content, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
        return visible_json(text).encode()
