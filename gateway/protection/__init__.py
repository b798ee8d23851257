"""What is in front of every route: who may ask, how often, and what browsers may do."""
