"""Training a network: what is drawn from the folder, what is minimised, what is remembered."""
