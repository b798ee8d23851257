"""Hugging Face: image segmentation as its inference clients send and read it."""
