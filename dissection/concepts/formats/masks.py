"""Photographs with index masks: the plain layout, see ``dissection.concepts.plain_layout``."""

from __future__ import annotations

from dissection.concepts.plain_layout import PlainLayout as Masks

__all__ = ["Masks"]
