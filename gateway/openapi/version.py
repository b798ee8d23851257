"""The version of the product, of its API and of the client generated from it."""

from typing import Final

# The one source: pyproject.toml and the OpenAPI document read it, the gateway's container has it.
VERSION: Final = "0.2.0"
