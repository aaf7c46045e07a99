"""Code that several published layouts share. Nothing here is itself a layout that can be converted."""
