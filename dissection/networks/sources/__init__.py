"""Sources of networks: one module per source, which hands over a spec and knows none of the other sources.

The modules that several sources need (fetching, optional packages) stand beside them;
:mod:`dissection.networks.opening` chooses a source by name.
"""
