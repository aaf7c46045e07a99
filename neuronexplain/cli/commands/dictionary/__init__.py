"""The commands of ``neuronexplain dictionary``, one module each."""
