"""What can go wrong with a study, besides its networks and images."""

from __future__ import annotations

from dissection.errors import NeuronExplainError


class StudyError(NeuronExplainError):
    """A study or its ratings are not as they were made, or cannot do what was requested."""
