"""Reads image files as pixels, the way a person sees them, or refuses them. What pixels mean is decided elsewhere."""
