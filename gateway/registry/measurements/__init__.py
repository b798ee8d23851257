"""What was measured of versions: evaluations, and shadow comparisons."""
