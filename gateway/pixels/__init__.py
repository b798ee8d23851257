"""Masks as pixels: read, described, drawn; pure functions that know no HTTP."""
