"""Keeps names: dissections in an SQL database."""

from .errors import ConceptNotFoundError, RunNotFoundError, SchemaError, StoreError
from .excess import Excess
from .queries import ClassConcept, ConceptClass, RankBy
from .records import SCHEMA, Adopted, ClassImportance, Run, RunKey, WholeRun
from .store import NameStore

__all__ = [
    "SCHEMA",
    "Adopted",
    "ClassConcept",
    "ClassImportance",
    "ConceptClass",
    "ConceptNotFoundError",
    "Excess",
    "NameStore",
    "RankBy",
    "Run",
    "RunKey",
    "RunNotFoundError",
    "SchemaError",
    "StoreError",
    "WholeRun",
]
