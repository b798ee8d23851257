"""Image segmentation in the format of Hugging Face's inference clients."""
