"""Networks to dissect, and where they come from."""

from .network import Network, Source
from .sources import open_architecture, open_network

__all__ = ["Network", "Source", "open_architecture", "open_network"]
