"""How much a class leans on a concept, three ways."""
