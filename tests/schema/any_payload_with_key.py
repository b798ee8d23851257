"""Hooks for a run with a key, which must not revoke that key."""

import os
from typing import Any

import schemathesis
from schemathesis import Case, HookContext

from tests.schema import payloads as payloads  # registers the strategies for images
from tests.schema import registry_hooks as registry_hooks  # registers its hook


@schemathesis.hook
def before_call(context: HookContext, case: Case[Any], kwargs: dict[str, Any]) -> None:
    """Replace the run's own key by another id where it would be revoked."""
    if case.path_parameters.get("key_id") == os.environ["CONTRACT_KEY_ID"]:
        case.path_parameters["key_id"] = "0f3a2b1c4d5e"
