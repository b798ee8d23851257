"""The checked-in OpenAPI document."""

import json
from pathlib import Path
from typing import Any

import openapi_spec_validator
import pytest

from gateway import export_openapi as openapi_file

DOCUMENT = Path(__file__).parents[2] / "docs" / "openapi.json"


@pytest.fixture(scope="module")
def document() -> dict[str, Any]:
    """The checked-in document."""
    parsed: dict[str, Any] = json.loads(DOCUMENT.read_text(encoding="utf-8"))
    return parsed


def _operations(document: dict[str, Any]) -> list[tuple[str, dict[str, Any]]]:
    return [
        (f"{method.upper()} {path}", operation)
        for path, methods in document["paths"].items()
        for method, operation in methods.items()
    ]


def test_the_document_has_not_drifted(monkeypatch: pytest.MonkeyPatch) -> None:
    """`make openapi` writes the checked-in document, independent of the environment."""
    monkeypatch.setenv("SEGSERVE_GATEWAY_MAX_IMAGE_BYTES", "1")
    assert openapi_file.text() == DOCUMENT.read_text(encoding="utf-8")


def test_it_is_an_openapi_document(document: dict[str, Any]) -> None:
    """The document is valid by the specification's own schema."""
    openapi_spec_validator.validate(document)


def test_every_operation_has_a_name_that_reads_well_in_a_client(document: dict[str, Any]) -> None:
    """Operation ids are function names of generated clients: a change would break them."""
    assert [operation["operationId"] for _, operation in sorted(_operations(document))] == [
        "revoke_key",
        "remove_alias",
        "retire_version",
        "remove_placement",
        "forget_node",
        "health",
        "get_metrics",
        "ready",
        "list_changes",
        "list_keys",
        "list_registered_models",
        "registered_model",
        "shadow_comparison",
        "list_registered_versions",
        "registered_version",
        "list_evaluations",
        "list_nodes",
        "label_studio_health",
        "list_models",
        "labels",
        "model_version",
        "server_metadata",
        "server_live",
        "server_ready",
        "all_statistics",
        "model_metadata",
        "model_ready",
        "model_statistics",
        "model_version_metadata",
        "model_version_ready",
        "model_version_statistics",
        "set_traffic",
        "segmentation",
        "add_key",
        "promote",
        "roll_back",
        "add_version",
        "add_evaluation",
        "segment_for_hugging_face",
        "label_studio_predict",
        "label_studio_setup",
        "segment",
        "segment_batch",
        "model_infer",
        "model_version_infer",
        "repository_index",
        "set_alias",
        "set_placement",
    ]


def test_the_title_is_the_contracts(document: dict[str, Any]) -> None:
    """The title is the prototype's."""
    assert document["info"]["title"] == "DeepLabV3 image segmentation"


def test_every_public_route_is_there(document: dict[str, Any]) -> None:
    """The document has exactly the public routes."""
    assert sorted(name for name, _ in _operations(document)) == [
        "DELETE /v1/admin/keys/{key_id}",
        "DELETE /v1/admin/models/{model}/aliases/{alias}",
        "DELETE /v1/admin/models/{model}/versions/{version}",
        "DELETE /v1/admin/models/{model}/versions/{version}/placement",
        "DELETE /v1/admin/nodes/{node}",
        "GET /healthz",
        "GET /metrics",
        "GET /readyz",
        "GET /v1/admin/audit",
        "GET /v1/admin/keys",
        "GET /v1/admin/models",
        "GET /v1/admin/models/{model}",
        "GET /v1/admin/models/{model}/shadow",
        "GET /v1/admin/models/{model}/versions",
        "GET /v1/admin/models/{model}/versions/{version}",
        "GET /v1/admin/models/{model}/versions/{version}/evaluations",
        "GET /v1/admin/nodes",
        "GET /v1/label-studio/health",
        "GET /v1/models",
        "GET /v1/models/{model}/labels",
        "GET /v1/models/{model}/versions/{version}",
        "GET /v2",
        "GET /v2/health/live",
        "GET /v2/health/ready",
        "GET /v2/models/stats",
        "GET /v2/models/{model}",
        "GET /v2/models/{model}/ready",
        "GET /v2/models/{model}/stats",
        "GET /v2/models/{model}/versions/{version}",
        "GET /v2/models/{model}/versions/{version}/ready",
        "GET /v2/models/{model}/versions/{version}/stats",
        "PATCH /v1/admin/models/{model}/traffic",
        "POST /segmentation",
        "POST /v1/admin/keys",
        "POST /v1/admin/models/{model}/promote",
        "POST /v1/admin/models/{model}/rollback",
        "POST /v1/admin/models/{model}/versions",
        "POST /v1/admin/models/{model}/versions/{version}/evaluations",
        "POST /v1/hf/{model}",
        "POST /v1/label-studio/predict",
        "POST /v1/label-studio/setup",
        "POST /v1/segment",
        "POST /v1/segment/batch",
        "POST /v2/models/{model}/infer",
        "POST /v2/models/{model}/versions/{version}/infer",
        "POST /v2/repository/index",
        "PUT /v1/admin/models/{model}/aliases/{alias}",
        "PUT /v1/admin/models/{model}/versions/{version}/placement",
    ]


def test_the_image_is_a_required_file(document: dict[str, Any]) -> None:
    """Generated clients and the page at /docs ask for a file."""
    body = document["paths"]["/segmentation"]["post"]["requestBody"]
    (reference,) = body["content"]["multipart/form-data"]["schema"].values()
    schema = document["components"]["schemas"][reference.rpartition("/")[2]]
    assert body["required"] is True
    assert schema["required"] == ["file"]
    assert schema["properties"]["file"]["format"] == "binary"


def test_the_response_is_a_png_with_its_facts(document: dict[str, Any]) -> None:
    """The documented headers of /segmentation are those that are sent."""
    response = document["paths"]["/segmentation"]["post"]["responses"]["200"]
    assert list(response["content"]) == ["image/png"]
    assert sorted(response["headers"]) == [
        "Cache-Control",
        "Server-Timing",
        "X-Class-Pixels",
        "X-Confidence",
        "X-Model",
        "X-Model-Version",
        "X-Request-ID",
    ]


def test_every_error_is_a_problem_with_an_example(document: dict[str, Any]) -> None:
    """Each error of each operation has one example, and Retry-After where it is sent."""
    for name, operation in _operations(document):
        for status, response in operation["responses"].items():
            assert "X-Request-ID" in response["headers"], (name, status)
            if int(status) < 400:
                continue
            assert list(response["content"]) == ["application/problem+json"], (name, status)
            examples = response["content"]["application/problem+json"]["examples"]
            assert [e["value"]["code"] for e in examples.values()] == list(examples)
            assert {e["value"]["status"] for e in examples.values()} == {int(status)}
            assert ("Retry-After" in response["headers"]) == (status in {"429", "503"}), (
                name,
                status,
            )


def test_the_drop_in_endpoint_documents_the_contracts_errors(document: dict[str, Any]) -> None:
    """/segmentation documents exactly the errors of the contract."""
    responses = document["paths"]["/segmentation"]["post"]["responses"]
    codes = {
        status: sorted(response["content"]["application/problem+json"]["examples"])
        for status, response in responses.items()
        if status != "200"
    }
    assert codes == {
        "401": ["unauthorized"],
        "404": ["not_found"],
        "413": ["image_too_large", "too_many_pixels"],
        "415": ["unsupported_encoding", "unsupported_format"],
        "422": ["invalid_request", "unreadable_image"],
        "429": ["too_many_requests"],
        "503": ["model_unavailable", "overloaded"],
        "504": ["deadline_exceeded"],
    }


def test_every_operation_documents_its_access(document: dict[str, Any]) -> None:
    """Operations document their key and 401 unless public, and 403 if they need a role."""
    assert set(document["components"]["securitySchemes"]) == {"bearer", "header"}
    for name, operation in _operations(document):
        path = name.partition(" ")[2]
        public = path in {"/healthz", "/readyz"} or path.startswith("/v2/health/")
        public |= path == "/v1/label-studio/health"
        admins = path == "/metrics" or path.startswith("/v1/admin/")
        assert operation.get("security") == (None if public else [{"bearer": []}, {"header": []}])
        assert ("401" in operation["responses"]) != public, name
        assert ("403" in operation["responses"]) == admins, name


def test_no_property_can_only_be_null(document: dict[str, Any]) -> None:
    """openapi-generator fails on such a property, or writes code that does not compile."""
    assert [
        f"{name}.{key}"
        for name, schema in document["components"]["schemas"].items()
        for key, value in schema.get("properties", {}).items()
        if value.get("type") == "null" or value.get("enum") == [None]
    ] == []


def test_no_schema_is_left_over(document: dict[str, Any]) -> None:
    """Every schema is referred to, and every reference exists."""
    text = json.dumps(document)
    names = set(document["components"]["schemas"])
    referred = {part.split('"')[0] for part in text.split("#/components/schemas/")[1:]}
    assert referred == names
