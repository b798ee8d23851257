"""Hooks that leave a valid request only what the gateway must accept, which no schema can say.

What a schema allows may still be no image, no class of the model, no labelling configuration.
Where these hooks are, every positive case must be answered with 2xx, or 404 for other versions.
"""

import json
from typing import Any, Final

import schemathesis
from hypothesis import strategies as st
from schemathesis import Case, GenerationMode, HookContext

from gateway.protocols.label_studio.openapi import LABEL_CONFIG
from gateway.protocols.open_inference.requests import HEADER_LENGTH, LENGTH_BYTES
from tests.schema.payloads import PHOTOGRAPHS, register

_CLASSES: Final = ("person,dog", "0", "Cat, 15", "tvmonitor")

register(st.sampled_from(PHOTOGRAPHS))


@schemathesis.hook
def before_call(context: HookContext, case: Case[Any], kwargs: dict[str, Any]) -> None:
    """Replaces what only the gateway or its model can judge."""
    if case.meta is None or case.meta.generation.mode != GenerationMode.POSITIVE:
        return
    if "classes" in case.query:
        case.query["classes"] = _CLASSES[len(case.query["classes"]) % len(_CLASSES)]
    if case.path.startswith("/v1/label-studio/"):
        _configure(case.body)
    if case.path.endswith("/infer"):
        _infer(case)


def _configure(body: object) -> None:
    """A labelling configuration is XML with a brush in it."""
    if isinstance(body, dict):
        for name in ("label_config", "schema"):
            if isinstance(body.get(name), str):
                body[name] = LABEL_CONFIG


def _infer(case: Case[Any]) -> None:
    """The header says where the JSON ends; behind it is the image with its length before it."""
    case.headers.pop(HEADER_LENGTH, None)
    if case.media_type == "application/octet-stream":
        image = PHOTOGRAPHS[0]
        tensor = len(image).to_bytes(LENGTH_BYTES, "little") + image
        size = {"binary_data_size": len(tensor)}
        image_input = {"name": "image", "datatype": "BYTES", "shape": [1], "parameters": size}
        head = json.dumps({"inputs": [image_input]}).encode()
        case.headers[HEADER_LENGTH] = str(len(head))
        case.body = head + tensor
