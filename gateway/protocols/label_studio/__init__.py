"""A Label Studio machine learning back end that pre-annotates images with brushes."""
