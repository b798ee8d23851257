"""Hooks for a run that sends a key: it must not revoke it, or all that follows is 401."""

import os
from typing import Any

import schemathesis
from schemathesis import Case, HookContext

from tests.schema import payloads as payloads  # registers what is sent where images are expected


@schemathesis.hook
def before_call(context: HookContext, case: Case[Any], kwargs: dict[str, Any]) -> None:
    """Names another key where the run's own is to be revoked."""
    if case.path_parameters.get("key_id") == os.environ["CONTRACT_KEY_ID"]:
        case.path_parameters["key_id"] = "0f3a2b1c4d5e"
