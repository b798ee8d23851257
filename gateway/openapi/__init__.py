"""A toolkit for the OpenAPI document; knows no subject of ours."""
