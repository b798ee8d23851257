"""API keys: made, kept hashed, looked up."""
