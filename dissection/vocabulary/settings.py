"""What names are found by unless a user says otherwise, and the choices that a run's key names."""

from __future__ import annotations

from typing import Literal

MIN_IOU = 0.05
"""A unit is named if its best IoU reaches this (Grad-CAM paper, Sec. 7, footnote 7)."""

MAX_Q = 0.05
"""A name is proven if the rate of false names among those as sure is at most this."""

QUANTILE = 0.005
"""Share of a unit's activations that count as strong (Bau et al. 2017, Sec. 2.2)."""

MIN_IMAGES = 10
"""A concept in fewer images than this cannot become a name: rare concepts win by chance."""

DRAWS = 199
"""Permutations behind the evidence for a name."""

MOST_SAMPLED = 8192
"""Images in the sample of that evidence: fewer than there are make the null conservative, and bound time and memory."""

INTERVAL = (0.025, 0.975)
"""Quantiles of resamples between which an interval lies."""

RUNNER_UP = 0.1
"""Share of resamples that a runner-up must win to be told."""

QUARTERS = 4
"""Parts into which the images that light a unit are cut by its response."""

KEPT_OVERLAPS = 10
"""Concepts kept for each unit, besides the best of each category."""

LONGEST_FORMULA = 3
"""Concepts of the longest formula that a unit may be named by."""

THIN_EVIDENCE = 10
"""A mean over fewer images of a class than this is reported as thin evidence."""

UPSAMPLING = "bilinear, half-pixel centres, float64"
"""How maps are upsampled to the size of label maps: part of a run's key."""

RECTIFIERS = ("relu", "relu6")
"""The functions that a layer's rectifier may be."""

Precision = Literal["float32", "fast", "bfloat16"]
"""The arithmetic of a network, see :mod:`dissection.networks.precision`."""
