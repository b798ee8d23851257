"""A tiny random network for each row of "Bring your model", by the file that the row names."""
