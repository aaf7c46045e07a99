"""``neuronexplain networks``: what can be dissected."""

from __future__ import annotations

from dataclasses import asdict

from neuronexplain.cli import console, options

_MANY, _FEW = 100, 8


def networks(json: options.Json = False) -> None:
    """List the networks that --network takes, by source.

    Example: neuronexplain networks
    """
    from dissection.networks.catalogue import catalogue

    shelves = catalogue()
    if json:
        console.write_json([asdict(shelf) for shelf in shelves])
        return
    for shelf in shelves:
        needed = f"; needs pip install 'neuronexplain[{shelf.extra}]'" if shelf.extra and not shelf.installed else ""
        console.say(f"{shelf.source} (weights: {shelf.weights}{needed})")
        shown = shelf.names if len(shelf.names) <= _MANY else shelf.names[:_FEW]
        more = f", … ({len(shelf.names)} of them; --json lists all)" if len(shelf.names) > len(shown) else ""
        console.say_wrapped(", ".join(shown) + more)
