"""Load generation with Locust."""
