"""Runs in forms that others can read: JSON, tables and folders; results of other tools; and checks of both."""
