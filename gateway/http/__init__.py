"""Between a socket and a route: knows HTTP, and no model."""
