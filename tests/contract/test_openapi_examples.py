"""Descriptions and examples in the OpenAPI document."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import pytest
from openapi_schema_validator import OAS31Validator

DOCUMENT: Final[dict[str, Any]] = json.loads(
    (Path(__file__).parents[2] / "docs" / "openapi.json").read_text(encoding="utf-8")
)
SCHEMAS: Final[dict[str, dict[str, Any]]] = DOCUMENT["components"]["schemas"]
OPERATIONS: Final = [
    (f"{method.upper()} {path}", operation)
    for path, methods in DOCUMENT["paths"].items()
    for method, operation in methods.items()
]

Place = tuple[str, dict[str, Any]]


def _parameters() -> Iterator[Place]:
    for name, operation in OPERATIONS:
        for parameter in operation.get("parameters", []):
            yield f"{name} {parameter['name']}", parameter


def _headers() -> Iterator[Place]:
    for name, operation in OPERATIONS:
        for status, response in operation["responses"].items():
            for header, described in response["headers"].items():
                yield f"{name} {status} {header}", described


def _contents() -> Iterator[Place]:
    """Yield the content of every request and response body."""
    for name, operation in OPERATIONS:
        bodies = {"body": operation.get("requestBody", {}), **operation["responses"]}
        for place, body in bodies.items():
            for kind, content in body.get("content", {}).items():
                yield f"{name} {place} {kind}", content


def _resolved(schema: dict[str, Any]) -> dict[str, Any]:
    name = schema.get("$ref", "").rpartition("/")[2]
    return SCHEMAS[name] if name else schema


def _examples(place: dict[str, Any]) -> list[Any]:
    """The examples of a parameter, header or content, or else of its schema."""
    if "example" in place:
        return [place["example"]]
    if "examples" in place:
        return [each["value"] for each in place["examples"].values()]
    schema = _resolved(place.get("schema", {}))
    return list(schema.get("examples", []))


def _is_of_bytes(content: dict[str, Any]) -> bool:
    """Whether the content is binary: an image, or a form with one. It has no example in JSON."""
    schema = _resolved(content.get("schema", {}))
    fields = [_resolved(each.get("items", each)) for each in schema.get("properties", {}).values()]
    return "binary" in [schema.get("format"), *(field.get("format") for field in fields)]


def _faults(value: object, schema: dict[str, Any]) -> list[str]:
    validator = OAS31Validator({**schema, "components": DOCUMENT["components"]})
    return [error.message for error in validator.iter_errors(value)]


@pytest.mark.parametrize(("name", "operation"), OPERATIONS, ids=[name for name, _ in OPERATIONS])
def test_every_operation_and_response_is_described(name: str, operation: dict[str, Any]) -> None:
    """Every operation has a summary, a description and tags, and every response a description."""
    assert operation["summary"]
    assert operation["description"]
    assert operation["tags"]
    bare = [
        status for status, response in operation["responses"].items() if not response["description"]
    ]
    assert bare == [], name


def test_every_parameter_is_described_and_shown() -> None:
    """Every parameter has a description and an example."""
    places = list(_parameters())
    assert [name for name, place in places if not place["description"]] == []
    assert [name for name, place in places if not _examples(place)] == []


def test_every_header_is_described_and_shown() -> None:
    """Every response header has a description and an example."""
    places = list(_headers())
    assert [name for name, place in places if not place["description"]] == []
    assert [name for name, place in places if not _examples(place)] == []


def test_every_body_that_is_text_is_shown() -> None:
    """Every body that is not binary has an example."""
    bare = [name for name, place in _contents() if not _is_of_bytes(place) and not _examples(place)]
    assert bare == []


def test_every_field_is_described() -> None:
    """Every schema and every field has a description."""
    bare = [
        f"{name}.{field}"
        for name, schema in SCHEMAS.items()
        for field, described in schema.get("properties", {}).items()
        if "description" not in described and "$ref" not in described
    ]
    assert bare == []
    assert [name for name, schema in SCHEMAS.items() if "description" not in schema] == []


def test_every_example_is_one() -> None:
    """Every example is valid by its schema."""
    assert {
        name: faults
        for name, place in (*_parameters(), *_headers(), *_contents())
        for example in _examples(place)
        if (faults := _faults(example, place.get("schema", {})))
    } == {}


def test_every_schemas_example_is_one() -> None:
    """Every schema's own examples are valid."""
    assert {
        name: faults
        for name, schema in SCHEMAS.items()
        for example in schema.get("examples", [])
        if (faults := _faults(example, schema))
    } == {}
