"""Hooks that restrict valid requests to those that the gateway must accept.

A schema cannot express that bytes are an image, a name is a class of the model, or a text is a
labelling configuration. With these hooks every positive case must get 2xx, or 404 for other
versions.
"""

import json
from typing import Any, Final

import schemathesis
from hypothesis import strategies as st
from schemathesis import Case, GenerationMode, HookContext

from gateway.protocols.label_studio.openapi import LABEL_CONFIG
from gateway.protocols.open_inference.requests import HEADER_LENGTH, LENGTH_BYTES
from tests.schema.payloads import IMAGES, register

_CLASSES: Final = ("person,dog", "0", "Cat, 15", "tvmonitor")

register(st.sampled_from(IMAGES))


@schemathesis.hook
def before_call(context: HookContext, case: Case[Any], kwargs: dict[str, Any]) -> None:
    """Replace the values that only the gateway or its model can judge."""
    if case.meta is None or case.meta.generation.mode != GenerationMode.POSITIVE:
        return
    if "classes" in case.query:
        case.query["classes"] = _CLASSES[len(case.query["classes"]) % len(_CLASSES)]
    if case.path.startswith("/v1/label-studio/"):
        _configure(case.body)
    if case.path.endswith("/infer"):
        _infer(case)


def _configure(body: object) -> None:
    """Set a labelling configuration with a brush."""
    if isinstance(body, dict):
        for name in ("label_config", "schema"):
            if isinstance(body.get(name), str):
                body[name] = LABEL_CONFIG


def _infer(case: Case[Any]) -> None:
    """Set the header to the length of the JSON, and append the image preceded by its length."""
    case.headers.pop(HEADER_LENGTH, None)
    if case.media_type == "application/octet-stream":
        image = IMAGES[0]
        tensor = len(image).to_bytes(LENGTH_BYTES, "little") + image
        size = {"binary_data_size": len(tensor)}
        image_input = {"name": "image", "datatype": "BYTES", "shape": [1], "parameters": size}
        head = json.dumps({"inputs": [image_input]}).encode()
        case.headers[HEADER_LENGTH] = str(len(head))
        case.body = head + tensor
