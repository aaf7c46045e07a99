"""Keeps names: dissections in an SQL database."""

from .errors import ConceptNotFoundError, RunNotFoundError, SchemaError, StoreError
from .queries import ClassConcept, ConceptClass, RankBy
from .records import SCHEMA, ClassImportance, Run, RunKey
from .store import NameStore

__all__ = [
    "SCHEMA",
    "ClassConcept",
    "ClassImportance",
    "ConceptClass",
    "ConceptNotFoundError",
    "NameStore",
    "RankBy",
    "Run",
    "RunKey",
    "RunNotFoundError",
    "SchemaError",
    "StoreError",
]
