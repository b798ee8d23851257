"""Messages in Markdown; text that comes from outside is escaped."""

import re
import string

from ui.client.errors import GatewayError
from ui.result import Result

_MARKDOWN = re.compile(f"([{re.escape(string.punctuation)}])")


def escape(text: str) -> str:
    """Escape Markdown, and replace line breaks by spaces."""
    return _MARKDOWN.sub(r"\\\1", " ".join(text.split()))


def problem(error: GatewayError) -> str:
    """Format an error: what is wrong, what to do, the request id."""
    return f"{_title_and_detail(error)}\n\nRequest id: {escape(error.request_id)}"


def waiting(error: GatewayError) -> str:
    """Format the reason why the gateway is not ready; the page polls it."""
    return f"{_title_and_detail(error)} This page looks again every few seconds."


def _title_and_detail(error: GatewayError) -> str:
    return f"**{escape(error.title)}**\n\n{escape(error.detail)}"


def provenance(result: Result) -> str:
    """Format the origin of a mask: model, version, duration, size, request id."""
    response, (width, height) = result.response, result.mask_size
    return (
        f"Made by **{escape(response.model)}** version **{escape(response.version)}** "
        f"in {response.elapsed_s * 1000:.0f} ms, {width} x {height} pixels.  \n"
        f"Request id: {escape(response.request_id)}"
    )
