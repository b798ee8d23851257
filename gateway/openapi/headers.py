"""The headers of answers, as the OpenAPI document describes them."""

from typing import Any, Final

Headers = dict[str, dict[str, Any]]

_TEXT: Final = {"type": "string"}
_COUNTS: Final = {"type": "string", "pattern": r"^(\d+=\d+(,\d+=\d+)*)?$"}
_SHARE: Final = {"type": "number", "minimum": 0, "maximum": 1}


def header(description: str, example: object, schema: dict[str, Any] = _TEXT) -> dict[str, Any]:
    """One header."""
    return {"description": description, "schema": schema, "example": example}


def retry_after(seconds: int) -> Headers:
    """When a client may ask again."""
    return {"Retry-After": header("Seconds to wait.", seconds, {"type": "integer", "minimum": 0})}


REQUEST_ID: Final = {
    "X-Request-ID": header(
        "The request's id, yours or a new one.",
        "3f2a9c",
        {"type": "string", "pattern": "^[A-Za-z0-9._-]{1,64}$"},
    )
}
CHALLENGE: Final = {"WWW-Authenticate": header("How to send a key.", "Bearer")}
MODEL: Final = {
    "X-Model": header("The model that answered.", "deeplabv3"),
    "X-Model-Version": header("The version of it that answered.", "1.0"),
}
FACTS: Final = MODEL | {
    "X-Class-Pixels": header(
        "Pixels of each class that occurs: class id=count, ascending by id.",
        "0=195000,15=67144",
        _COUNTS,
    ),
    "X-Confidence": header("The model's mean confidence over the image.", 0.9312, _SHARE),
    "Server-Timing": header(
        "Milliseconds spent in each stage.", "decode;dur=3.1, infer;dur=17.0, total;dur=25"
    ),
}
NOT_STORED: Final = {"Cache-Control": header("Answers are not to be kept.", "no-store")}
CACHED: Final = {
    "ETag": header("Of this legend; send it as If-None-Match.", '"9f86d081884c7d65"'),
    "Cache-Control": header("To be asked for anew each time.", "no-cache"),
}
