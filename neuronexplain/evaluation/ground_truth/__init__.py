"""What is known to be in images, from annotations in several layouts, matched to a network's classes."""
