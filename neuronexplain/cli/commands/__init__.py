"""A module per command, called as the command is; ``import_`` and ``weights_convert`` as nearly as Python allows.

Belongs here: the options of a command, and how its answer is said. Options that several commands take are in
:mod:`neuronexplain.cli.options`; the protocols of ``evaluate`` in :mod:`neuronexplain.cli.evaluate`.
"""
