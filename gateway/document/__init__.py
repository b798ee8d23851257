"""The finished OpenAPI document; only the application imports it."""
