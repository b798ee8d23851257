"""Log formats: text, or one JSON object per line."""

import logging
from typing import Final, Literal

from pythonjsonlogger.core import RESERVED_ATTRS
from pythonjsonlogger.json import JsonFormatter

LogFormat = Literal["text", "json"]

_TEXT: Final = "%(asctime)s %(levelname)s %(name)s %(message)s"
_FIELDS: Final = ("levelname", "name", "message")
_NAMES: Final = {"levelname": "level", "name": "logger"}
# color_message is uvicorn's copy of the message with colours for terminals.
_IGNORED: Final = (*RESERVED_ATTRS, "color_message")


def formatter(log_format: LogFormat) -> logging.Formatter:
    """Return a formatter; JSON has an RFC 3339 timestamp in UTC and the record's extra fields."""
    if log_format == "text":
        return logging.Formatter(_TEXT)
    return JsonFormatter(
        _FIELDS, rename_fields=_NAMES, timestamp=True, reserved_attrs=_IGNORED, json_indent=None
    )


def log_to_stderr(level: str, log_format: LogFormat) -> None:
    """Configure the logging of the process; call once at the start."""
    lines = logging.StreamHandler()
    lines.setFormatter(formatter(log_format))
    logging.basicConfig(level=level.upper(), handlers=[lines])
    # No format has the thread or process; looking them up takes a tenth of the time of a line.
    logging.logThreads = logging.logProcesses = logging.logMultiprocessing = False
    logging._srcfile = None  # nor the line of code
    # Its line per request to TorchServe duplicates our access log.
    logging.getLogger("httpx").setLevel(logging.WARNING)
    # A malformed form is reported to the client.
    logging.getLogger("python_multipart").setLevel(logging.ERROR)
