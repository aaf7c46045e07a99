"""Writes files and folders whole or not at all, unpacks and fetches them. What is in them is decided elsewhere."""
