"""Concept data, photographs with labelled pixels: reading, checking, joining, converting and fetching it.

Counting for units belongs in :mod:`dissection.engine`, drawing scenes in :mod:`dissection.scenes`.
"""
