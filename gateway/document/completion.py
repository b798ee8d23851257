"""Completion of the OpenAPI document that FastAPI derives from the routes."""

from itertools import chain
from typing import Any, Final

from gateway.admin.http import openapi as admin
from gateway.keys import schemas as keys
from gateway.models import openapi as models
from gateway.openapi.headers import CHALLENGE, REQUEST_ID
from gateway.openapi.problems import problems
from gateway.openapi.schemas import definitions
from gateway.operations import openapi as operations
from gateway.protocols.hugging_face import openapi as hugging_face
from gateway.protocols.label_studio import openapi as label_studio
from gateway.protocols.open_inference import openapi as open_inference
from gateway.route_policy import is_counted, policy_of
from gateway.segmentation import openapi as segmentation

_WITH_SCHEMAS: Final = (admin, segmentation, open_inference, hugging_face, label_studio)
_WITH_EXAMPLES: Final = (*_WITH_SCHEMAS, models, keys, operations)
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
    """Add to FastAPI's document: schemas, examples, security, the request id of each response."""
    schemas = document.setdefault("components", {}).setdefault("schemas", {})
    needed = chain.from_iterable(part.SCHEMAS for part in _WITH_SCHEMAS)
    schemas |= definitions(needed) | segmentation.FORMS
    # Added here, because FastAPI drops null values from examples.
    for part in _WITH_EXAMPLES:
        for model, example in part.EXAMPLES.items():
            schemas[model.__name__]["examples"] = [example]
    document["components"]["securitySchemes"] = _SECURITY
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            _add_security(path, method.upper(), operation)
            for response in operation["responses"].values():
                response.setdefault("headers", {}).update(REQUEST_ID)
    return document


def _add_security(path: str, method: str, operation: dict[str, Any]) -> None:
    """Add the key that an operation needs, and the errors of the middleware in front of it."""
    if policy_of(path).public:
        return
    operation["security"] = [{name: []} for name in _SECURITY]
    codes = ["unauthorized"]
    codes += ["forbidden"] * policy_of(path).admin
    codes += ["too_many_requests"] * is_counted(method, path)
    for status, response in problems(*codes).items():
        operation["responses"].setdefault(str(status), response)
    operation["responses"]["401"]["headers"] |= CHALLENGE
