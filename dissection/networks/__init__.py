"""A network as it runs: where it comes from, what it expects of a photograph, and reading a layer while it runs.

What is made of the maps belongs in :mod:`dissection.engine`.
"""
