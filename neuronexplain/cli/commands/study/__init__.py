"""The commands ``neuronexplain study ...``: make a human study, serve its pages, and tell what the ratings say."""
