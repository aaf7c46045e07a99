"""Self-contained pages: explanations with their evidence, and pictures of a concept dataset."""
