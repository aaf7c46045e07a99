"""The objects in images, read from annotations in several layouts and matched to a network's classes."""
