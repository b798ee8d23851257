"""Architectures and their weights."""
