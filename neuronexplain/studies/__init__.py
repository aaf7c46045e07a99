"""Studies that need more than one pass.

Adversarial images (Sec. 6.2), biased data (Sec. 6.3), and Grad-CAM at every stage of a network.
"""
