"""Checks of a machine: each yields one-line findings that say what to do."""
