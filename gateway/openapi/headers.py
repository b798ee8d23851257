"""Response headers in the OpenAPI document."""

from typing import Any, Final

Headers = dict[str, dict[str, Any]]

_TEXT: Final = {"type": "string"}


def header(description: str, example: object, schema: dict[str, Any] = _TEXT) -> dict[str, Any]:
    """Return the description of one header."""
    return {"description": description, "schema": schema, "example": example}


def retry_after(seconds: int) -> Headers:
    """Return the description of Retry-After."""
    return {"Retry-After": header("Seconds to wait.", seconds, {"type": "integer", "minimum": 0})}


REQUEST_ID: Final = {
    "X-Request-ID": header(
        "The request's id, yours or a new one.",
        "3f2a9c",
        {"type": "string", "pattern": "^[A-Za-z0-9._-]{1,64}$"},
    )
}
CHALLENGE: Final = {"WWW-Authenticate": header("How to send a key.", "Bearer")}
NOT_STORED: Final = {"Cache-Control": header("Answers are not to be kept.", "no-store")}
RATE_LIMIT: Final = {
    "RateLimit-Policy": header("The limit: its name, quota and seconds.", '"rate";q=600;w=60'),
    "RateLimit": header("What is left of it, and until when.", '"rate";r=0;t=12'),
}
