"""Other ways to serve the same network, each set up as its own documentation recommends."""
