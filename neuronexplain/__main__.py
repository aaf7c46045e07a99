"""Where the command line begins, as a script or as ``python -m neuronexplain``."""

from __future__ import annotations

from neuronexplain.cli import signals


def main() -> None:
    """Run the command line; from here on a signal ends in one line, though almost nothing is imported yet."""
    signals.hold()
    from neuronexplain.cli import app

    app.main()


if __name__ == "__main__":
    main()
