"""The parts that pages are assembled from."""
