"""Runs as pandas frames, and frames as runs. Import this package explicitly: only it needs pandas."""

from .as_values import values
from .columns import Frames
from .of_runs import frames, importances_frame, overlaps_frame, runs_frame, units_frame

__all__ = ["Frames", "frames", "importances_frame", "overlaps_frame", "runs_frame", "units_frame", "values"]
