"""Ready graphs: files that hold a network with its operations."""
