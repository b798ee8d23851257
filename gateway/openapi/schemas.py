"""Schemas of request and response bodies in the OpenAPI document."""

from collections.abc import Iterable
from typing import Any, Final

from pydantic import BaseModel
from pydantic.json_schema import JsonSchemaMode, models_json_schema

Examples = dict[type[BaseModel], dict[str, Any]]
# Models that no route's type adds to the document, each in its mode: validation or serialization.
Schemas = tuple[tuple[type[BaseModel], JsonSchemaMode], ...]

_REFERENCE: Final = "#/components/schemas/{model}"

ANY_BYTES: Final = {"type": "string", "format": "binary"}
BINARY: Final = ANY_BYTES | {"minLength": 1}
# A PNG of one pixel in base64, so that example requests can be sent as they are.
EXAMPLE_PNG: Final = (
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAAAAAA6fptVAAAACklEQVR42mNgAAAAAgAB5Sfe/AAAAABJRU5ErkJggg=="
)


def reference(name: str | type[BaseModel]) -> dict[str, str]:
    """Return a reference to a schema of the document."""
    return {"$ref": _REFERENCE.format(model=name if isinstance(name, str) else name.__name__)}


def definitions(schemas: Iterable[tuple[type[BaseModel], JsonSchemaMode]]) -> dict[str, Any]:
    """Return these schemas by name, with the schemas that they refer to."""
    _, document = models_json_schema(list(schemas), ref_template=_REFERENCE)
    defined: dict[str, Any] = document["$defs"]
    return defined


def request_body(content: dict[str, Any]) -> dict[str, Any]:
    """Return a required request body. content: media type -> its description."""
    return {"requestBody": {"required": True, "content": content}}


def json_or_bytes(model: type[BaseModel], *binary: str) -> dict[str, Any]:
    """Return a required request body: JSON of this model, or bytes of one of these media types."""
    content: dict[str, Any] = {"application/json": {"schema": reference(model)}}
    return request_body(content | {kind: {"schema": BINARY} for kind in binary})
