"""Measures explanations over annotated images: what is in them, the protocols, the runner, and tables of the results.

The arithmetic belongs in :mod:`neuronexplain.metrics`; what needs more than one network or image of each in
:mod:`neuronexplain.studies`.
"""
