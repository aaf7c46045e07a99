"""A module per kind of model that labels pixels, imported on demand."""
