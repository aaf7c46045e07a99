"""Protocols for networks that answer questions: Sec. 8.2. A module each."""
