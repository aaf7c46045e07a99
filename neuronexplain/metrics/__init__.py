"""The arithmetic of measurements, as functions of maps and numbers from anywhere: no network, no torch, no files."""
