"""The commands ``neuronexplain concepts ...``, a module each: concept data, and what concepts matter for a class."""
