"""Labelled pictures: reading, splitting, augmenting and correcting them."""
