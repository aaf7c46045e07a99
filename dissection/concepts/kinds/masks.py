"""Photographs with index masks: the plain layout, see ``dissection.concepts.plain``."""

from __future__ import annotations

from dissection.concepts.plain import PlainLayout as Masks

__all__ = ["Masks"]
