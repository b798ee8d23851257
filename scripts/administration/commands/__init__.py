"""The sub-commands of ``segserve versions``."""
