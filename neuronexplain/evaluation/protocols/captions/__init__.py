"""Protocols for networks that write captions: Sec. 8.1. A module each."""
