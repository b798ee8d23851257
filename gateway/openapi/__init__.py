"""What the OpenAPI document says beyond the types of the routes."""
