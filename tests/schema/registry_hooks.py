"""Hooks that aim valid requests of the administration at what the registry has.

A schema cannot express that a version exists, that an ETag is the current one, or that bytes are
an archive.
"""

from itertools import count
from typing import Any, Final

import schemathesis
from schemathesis import Case, GenerationMode, HookContext

from tests.schema import registry

_PATH: Final = "/v1/admin/models/{model}"
_numbers: Final = count()


@schemathesis.hook
def before_call(context: HookContext, case: Case[Any], kwargs: dict[str, Any]) -> None:
    """Replace names, ETags and the bytes of archives."""
    if not case.operation.path.startswith("/v1/admin/"):
        # Schemathesis learns names from responses; this model is in the registry only.
        if case.path_parameters.get("model") == registry.MODEL:
            case.path_parameters |= {"model": "deeplabv3"}
        return
    if case.meta is None or case.meta.generation.mode != GenerationMode.POSITIVE:
        return
    for name in ("If-Match", "Idempotency-Key"):
        case.headers.pop(name, None)
    for name in ("cursor", "workers"):
        case.query.pop(name, None)
    number = next(_numbers)
    names = {"model": registry.MODEL, "version": registry.VERSION}
    names |= {"alias": registry.alias(number), "node": registry.node(number)}
    if (case.method, case.operation.path) == ("DELETE", f"{_PATH}/versions/{{version}}"):
        names["version"] = registry.old_version(number)
    for name in case.path_parameters.keys() & names.keys():
        case.path_parameters[name] = names[name]
    if case.method == "DELETE" and case.operation.path.endswith("/placement"):
        case.query["node"] = registry.node(number)
    _aim_body(case)


def _aim_body(case: Case[Any]) -> None:
    if (case.method, case.operation.path) == ("POST", f"{_PATH}/versions"):
        # Also instead of an address: a store that is a folder fetches none.
        case.media_type, case.body = "application/octet-stream", registry.ARCHIVE
        case.headers.pop("Content-Type", None)
    body = case.body
    if not isinstance(body, dict):
        return
    if case.operation.path.endswith("/promote"):
        body |= {"version": "stable", "why": "a test"}
    elif "version" in body:
        body["version"] = registry.VERSION
    for name in ("canary", "shadow"):
        share = body.get(name)
        if isinstance(share, dict):
            share["version"] = registry.TRIED
    if "workers" in body:
        body["node"] = registry.node(0)
    if "figures" in body:
        body["figures"] = {"miou": 0.5}
