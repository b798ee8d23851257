"""The benchmark of the handler on a GPU."""
