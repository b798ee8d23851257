"""Readers of networks that other libraries define."""
