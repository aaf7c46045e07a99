"""A module per command, named after the command; ``import_`` and ``weights_convert`` as nearly as Python allows.

The options of a command and the wording of its answer belong here. Options that several commands take are in
:mod:`neuronexplain.cli.options`; the protocols of ``evaluate`` are in :mod:`neuronexplain.cli.evaluate`.
"""
