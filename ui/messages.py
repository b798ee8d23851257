"""Turns facts into Markdown for a person, with everything from outside shown as it is."""

import re
import string

from ui.client.errors import GatewayError
from ui.result import Result

_MARKDOWN = re.compile(f"([{re.escape(string.punctuation)}])")


def plain(text: str) -> str:
    """Escape text from outside, so that Markdown shows it and never obeys it."""
    return _MARKDOWN.sub(r"\\\1", " ".join(text.split()))


def problem(error: GatewayError) -> str:
    """Say what went wrong, what to do, and the id under which the logs know it."""
    return f"{_what(error)}\n\nRequest id: {plain(error.request_id)}"


def waiting(error: GatewayError) -> str:
    """Say why nothing can be segmented yet, and that the page keeps looking."""
    return f"{_what(error)} This page looks again every few seconds."


def _what(error: GatewayError) -> str:
    return f"**{plain(error.title)}**\n\n{plain(error.detail)}"


def provenance(result: Result) -> str:
    """Say which model version made a mask, its size, the time it took and its request id."""
    response, (width, height) = result.response, result.mask_size
    return (
        f"Made by **{plain(response.model)}** version **{plain(response.version)}** "
        f"in {response.elapsed_s * 1000:.0f} ms, {width} x {height} pixels.  \n"
        f"Request id: {plain(response.request_id)}"
    )
