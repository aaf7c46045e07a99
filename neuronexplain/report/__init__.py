"""One self-contained page that shows explanations, the concepts of classes, and the named neurons."""

from .page import write_page
from .sections import ClassSection, ConceptRow, NeuronCard

__all__ = ["ClassSection", "ConceptRow", "NeuronCard", "write_page"]
