"""What the OpenAPI document says beyond the routes' types."""

from typing import Any, Final

from gateway.openapi import examples
from gateway.openapi import schemas as openapi_schemas
from gateway.openapi.headers import CHALLENGE, REQUEST_ID
from gateway.openapi.problems import problems
from gateway.route_policy import is_counted, policy_of

TITLE: Final = "DeepLabV3 image segmentation"
VERSION: Final = "0.1.0"
DESCRIPTION: Final = """Semantic segmentation with DeepLabV3: which thing is at which pixel.

    curl -F file=@photo.jpg http://127.0.0.1:8000/segmentation -o mask.png

Errors are problem documents (RFC 9457) with a stable `code`. Every answer carries `X-Request-ID`;
send your own (letters, digits, `.`, `_`, `-`, at most 64) to find a request again."""
TAGS: Final = [
    {"name": "segmentation", "description": "Images in, masks out."},
    {"name": "models", "description": "What is served, and what its class ids mean."},
    {
        "name": "protocols",
        "description": "The same results for clients of Hugging Face, Triton and Label Studio.",
    },
    {"name": "health", "description": "Probes for whoever watches the service."},
    {"name": "admin", "description": "For whoever runs the gateway: keys with the role admin."},
]

_SECURITY: Final = {
    "bearer": {
        "type": "http",
        "scheme": "bearer",
        "description": "A key, where the gateway asks for one: on every address but loopback.",
    },
    "header": {
        "type": "apiKey",
        "in": "header",
        "name": "X-API-Key",
        "description": "The same key, for clients that cannot send Authorization.",
    },
}


def complete(document: dict[str, Any]) -> dict[str, Any]:
    """Adds what no route's type brings in: schemas, their examples, the id on every answer."""
    schemas = document.setdefault("components", {}).setdefault("schemas", {})
    schemas |= openapi_schemas.definitions()
    # Here, because FastAPI leaves out of every example what is null.
    for name, example in examples.BY_SCHEMA.items():
        schemas[name]["examples"] = [example]
    document["components"]["securitySchemes"] = _SECURITY
    for path, operations in document["paths"].items():
        for method, operation in operations.items():
            _say_who_may(path, method.upper(), operation)
            for response in operation["responses"].values():
                response.setdefault("headers", {}).update(REQUEST_ID)
    return document


def _say_who_may(path: str, method: str, operation: dict[str, Any]) -> None:
    """Adds the key that an operation needs, and the refusals that are in front of every route."""
    if policy_of(path).public:
        return
    operation["security"] = [{name: []} for name in _SECURITY]
    codes = ["unauthorized"]
    codes += ["forbidden"] * policy_of(path).admin
    codes += ["too_many_requests"] * is_counted(method, path)
    for status, response in problems(*codes).items():
        operation["responses"].setdefault(str(status), response)
    operation["responses"]["401"]["headers"] |= CHALLENGE
