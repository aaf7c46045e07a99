"""``python -m neuronexplain``: the command line, where no script is on the path."""

from .cli.app import main

main()
