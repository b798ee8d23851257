"""Label Studio: a machine learning back end that pre-annotates images with brushes."""
