"""A toolkit for the OpenAPI document, independent of the subjects of the routes."""
