"""Image files as pixels, the way a person sees them, or a refusal. What pixels mean is for others to say."""
