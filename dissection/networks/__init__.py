"""Networks: where they come from, what they expect of a photograph, and how a layer is read while they run.

Work on the maps belongs in :mod:`dissection.engine`.
"""
