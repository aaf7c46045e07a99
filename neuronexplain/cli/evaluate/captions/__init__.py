"""The commands ``neuronexplain evaluate captions ...``: a module per protocol, and the options that they share."""
