"""Hooks for a run with a key whose valid requests the gateway must accept."""

from tests.schema import any_payload_with_key as any_payload_with_key  # registers its hook
from tests.schema import valid_payloads as valid_payloads  # registers its hook and strategies
