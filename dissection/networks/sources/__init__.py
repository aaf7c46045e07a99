"""Where networks come from: a module per source, each of which hands over a spec and knows none of the others.

What several need (fetching, optional packages) stands beside them; choosing one by name is
:mod:`dissection.networks.opening`.
"""
