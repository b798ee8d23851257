"""The gateway's HTTP API as the commands use it; the only module of scripts/ that knows it."""

import httpx

ALIVE, READY = "/healthz", "/readyz"
COLOUR_MAP = "/segmentation"
SEGMENT = "/v1/segment"
MODELS = "/v1/models"
JSON, PNG, BYTES = "application/json", "image/png", "application/octet-stream"
TRY_LATER = (httpx.codes.TOO_MANY_REQUESTS, httpx.codes.SERVICE_UNAVAILABLE)


def labels_of(model: str) -> str:
    """The path of a model's labels."""
    return f"{MODELS}/{model}/labels"


def authorization(key: str | None) -> dict[str, str]:
    """The headers that carry an API key."""
    return {"Authorization": f"Bearer {key}"} if key else {}


def retry_after(response: httpx.Response, most: float) -> float:
    """Seconds to wait before the next try, as the gateway asks for; ``most`` at most."""
    try:
        seconds = float(response.headers.get("Retry-After", "1"))
    except ValueError:
        seconds = 1.0
    return min(max(seconds, 0.0), most)


def refusal(response: httpx.Response) -> str:
    """The gateway's explanation of an error response, in one line."""
    try:
        detail = response.json()["detail"]
    except (ValueError, KeyError, TypeError):
        detail = response.text[:200]
    return f"the gateway answered {response.status_code}: {detail}"


def no_answer(url: httpx.URL | str, exc: Exception) -> str:
    """The explanation of a missing response, with what to do."""
    return (
        f"no gateway answers at {url} ({exc or type(exc).__name__}): "
        "start it with `segserve serve`, or name it with --gateway"
    )
