"""The handler's response headers, of which only numbers are passed on."""

import logging
import re
from typing import Final

from gateway.errors import ModelUnavailableError
from gateway.torchserve.transport import Response

logger = logging.getLogger(__name__)


def _pairs(value: str) -> re.Pattern[str]:
    pair = rf"\d{{1,3}}+={value}"
    return re.compile(rf"{pair}(?:,{pair})*+", re.ASCII)


# The handler's headers as they may be passed on: neither NaN nor infinity, no control character.
# Possessive, which takes two thirds of the time.
_SHARE: Final = r"(?:0(?:\.\d{1,9}+)?+|1(?:\.0{1,9}+)?+)"
CONFIDENCE: Final = re.compile(_SHARE, re.ASCII)
CLASS_PIXELS: Final = _pairs(r"\d{1,12}+")
CLASS_CONFIDENCE: Final = _pairs(_SHARE)
# A stage's milliseconds, or the number of tiles: "tiles;desc=24".
_TIMING: Final = r"\w++;(?:dur=\d{1,9}+(?:\.\d{1,9}+)?+|desc=\d{1,6}+)"
_TIMINGS: Final = re.compile(rf"{_TIMING}(?:, {_TIMING})*+", re.ASCII)


def numbers(response: Response, version: str, name: str, pattern: re.Pattern[str]) -> str:
    """Return a header with numbers, empty if it is missing; raises ModelUnavailableError."""
    value = response.headers.get(name, "")
    if value and not pattern.fullmatch(value):
        logger.warning("version %s answered with %s: %.100r", version, name, value)
        raise ModelUnavailableError(
            f"Version {version} answered with values that are no numbers. Choose another version."
        )
    return value


def timings(response: Response) -> str:
    """Return the worker's stages; empty if they are missing or unreadable: they are no result."""
    value = response.headers.get("Server-Timing", "")
    return value if _TIMINGS.fullmatch(value) else ""
