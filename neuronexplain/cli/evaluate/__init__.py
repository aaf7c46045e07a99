"""The commands ``neuronexplain evaluate ...``: a module per protocol.

The options that a protocol uses, no others, and the wording of its result belong here. What protocols share is in
:mod:`~neuronexplain.cli.evaluate.inputs` (networks, annotated images) and :mod:`~neuronexplain.cli.evaluate.measuring`.
The protocols themselves are in :mod:`neuronexplain.evaluation.protocols` and :mod:`neuronexplain.studies`.
"""
