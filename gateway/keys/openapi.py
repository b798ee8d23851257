"""Examples of the keys routes for the OpenAPI document."""

from typing import Final

from gateway.keys.schemas import CreatedKey, KeyCreate, Keys
from gateway.openapi.schemas import Examples

_KEY: Final = {
    "id": "0f3a2b1c4d5e",
    "name": "field-app",
    "role": "user",
    "created_at": "2026-11-23T07:48:10Z",
    "rate": "600/minute",
    "concurrency": None,
}

EXAMPLES: Final[Examples] = {
    KeyCreate: {"name": "field-app", "role": "user", "rate": "600/minute", "concurrency": 4},
    Keys: {"keys": [_KEY]},
    CreatedKey: _KEY | {"key": "sgs_0f3a2b1c4d5e_ce5f01d5b2f04e7d9b6d5c1a8e0f3b27"},
}
