"""The commands ``neuronexplain audit ...``: a module per question that is asked of a network.

Options and the wording of results belong here; the audits themselves are in :mod:`neuronexplain.audit`.
"""
