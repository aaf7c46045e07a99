"""What several published layouts are made of. Nothing here is a layout that can be converted."""
