"""Labelled images: reading, splitting, augmenting and correcting them."""
