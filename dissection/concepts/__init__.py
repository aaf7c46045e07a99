"""Concept datasets: photographs whose pixels are labelled with concepts."""

from __future__ import annotations

from .broden import BrodenLayout
from .checking import Inspection, check, inspect
from .conversion import Summary, convert
from .dataset import ConceptDataset, Labels
from .fingerprints import fingerprint
from .joining import Joined
from .layouts import open_concepts, open_sized
from .plain import PlainLayout
from .problems import BadFileError, Problem
from .surveys import OutOfReach, Survey, out_of_reach, survey
from .synonyms import read_synonyms, synonyms_of
from .views import Subset
from .write import BrodenWriter, writing_broden

__all__ = [
    "BadFileError",
    "BrodenLayout",
    "BrodenWriter",
    "ConceptDataset",
    "Inspection",
    "Joined",
    "Labels",
    "OutOfReach",
    "PlainLayout",
    "Problem",
    "Subset",
    "Summary",
    "Survey",
    "check",
    "convert",
    "fingerprint",
    "inspect",
    "open_concepts",
    "open_sized",
    "out_of_reach",
    "read_synonyms",
    "survey",
    "synonyms_of",
    "writing_broden",
]
