"""What is served: versions, the default one, and the labels of each."""
