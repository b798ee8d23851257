"""Training of a network: samples, loss, optimiser, state, results."""
