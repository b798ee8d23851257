"""Segmenting files through a running gateway."""
