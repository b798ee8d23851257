"""Shadow: the same image to a second version, after the answer, to compare the masks."""
