"""Translations into the words of other interfaces."""
