"""The registry: what should be served, and what was, in one database."""
