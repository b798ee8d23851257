"""Pure functions on masks of class ids: no HTTP, clock or environment."""
