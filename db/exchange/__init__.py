"""Runs as others can read them: JSON, tables and folders, results of other tools, and what is checked of either."""
