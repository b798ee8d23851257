"""The version of the product, of its API and of the client generated from it."""

from typing import Final

VERSION: Final = "0.1.0"
