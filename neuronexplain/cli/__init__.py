"""The command line ``neuronexplain``, the only place that prints.

A module per command in :mod:`~neuronexplain.cli.commands`, a module per protocol in :mod:`~neuronexplain.cli.evaluate`,
joined in :mod:`~neuronexplain.cli.app`; beside them is what they share. Whatever another program could use belongs in
the library: a command reads words, calls the library and writes its answer. Heavy imports wait until a command runs.
"""
