"""Finds names: which concept each unit of a convolutional layer detects (Network Dissection)."""
