"""Runs the command line as ``python -m neuronexplain``, for when its script is not on the path."""

from .cli.app import main

main()
