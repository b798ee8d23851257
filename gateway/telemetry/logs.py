"""How the gateway's log lines look: words for people, or a JSON object a line for programs."""

import logging
from typing import Final, Literal

from pythonjsonlogger.core import RESERVED_ATTRS
from pythonjsonlogger.json import JsonFormatter

LogFormat = Literal["text", "json"]

_TEXT: Final = "%(asctime)s %(levelname)s %(name)s %(message)s"
_FIELDS: Final = ("levelname", "name", "message")
_NAMES: Final = {"levelname": "level", "name": "logger"}
# uvicorn says the same once more, for terminals.
_LEFT_OUT: Final = (*RESERVED_ATTRS, "color_message")


def formatter(form: LogFormat) -> logging.Formatter:
    """In JSON with a time of RFC 3339 in UTC, and with what a line brings along as fields."""
    if form == "text":
        return logging.Formatter(_TEXT)
    return JsonFormatter(
        _FIELDS, rename_fields=_NAMES, timestamp=True, reserved_attrs=_LEFT_OUT, json_indent=None
    )


def log_to_stderr(level: str, form: LogFormat) -> None:
    """Sets up the process: called once, before anything starts."""
    lines = logging.StreamHandler()
    lines.setFormatter(formatter(form))
    logging.basicConfig(level=level.upper(), handlers=[lines])
    # No line says which thread or process wrote it, and to find out takes a tenth of its time.
    logging.logThreads = logging.logProcesses = logging.logMultiprocessing = False
    logging._srcfile = None  # nor which line of code logged
    # A line per request to TorchServe says nothing that ours does not.
    logging.getLogger("httpx").setLevel(logging.WARNING)
    # A malformed form is the client's business: it is told.
    logging.getLogger("python_multipart").setLevel(logging.ERROR)
