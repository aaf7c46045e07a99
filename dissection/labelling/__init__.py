"""Labels photographs with segmentation models, so that those without masks become concept data."""
