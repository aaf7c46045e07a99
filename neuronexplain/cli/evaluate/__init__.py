"""The commands ``neuronexplain evaluate ...``: a module per protocol.

Belongs here: the options that a protocol uses, no others, and how its result is said. What protocols share is in
:mod:`~neuronexplain.cli.evaluate.inputs` (networks, annotated images) and :mod:`~neuronexplain.cli.evaluate.measuring`.
The protocols themselves are in :mod:`neuronexplain.evaluation.protocols` and :mod:`neuronexplain.studies`.
"""
