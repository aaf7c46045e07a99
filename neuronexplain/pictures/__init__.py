"""Pictures: heat maps over photographs, tiles on a sheet, thumbnails. Pages that show them belong in the report."""
