"""The two studies of the paper that need more than a map: adversarial images (Sec. 6.2) and biased data (Sec. 6.3)."""

from .adversarial import Adversarial
from .attack import Attack, attacked
from .bias import Bias, study_bias

__all__ = ["Adversarial", "Attack", "Bias", "attacked", "study_bias"]
