"""Measures explanations over annotated images: the ground truth, the protocols, the runner, and tables of the results.

The arithmetic belongs in :mod:`neuronexplain.metrics`; whatever needs more than one network, or more than one version
of an image, belongs in :mod:`neuronexplain.studies`.
"""
