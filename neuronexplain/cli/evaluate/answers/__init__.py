"""The commands ``neuronexplain evaluate answers ...``: a module per protocol, and the options that they share."""
