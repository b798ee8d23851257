"""Readers of the files that trainings leave behind: each gives a checkpoint."""
