"""Traffic: which version and which node an image goes to."""
