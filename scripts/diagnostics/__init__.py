"""Checks of a machine: each gives findings, in one line with what to do."""
