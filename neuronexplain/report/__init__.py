"""Self-contained pages: explanations with their evidence, and what a concept dataset shows."""
