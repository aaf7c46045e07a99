"""The arithmetic of measurements, as functions of maps and numbers from any source: no network, no torch, no files."""
