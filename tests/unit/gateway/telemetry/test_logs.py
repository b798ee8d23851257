"""The log formats."""

import json
import logging
import sys
from datetime import UTC, datetime
from typing import Any

from gateway.telemetry.logs import formatter


def _record(**more: Any) -> logging.LogRecord:
    facts = {"name": "gateway.access", "levelname": "INFO", "msg": "GET %s", "args": ("/x",)}
    return logging.makeLogRecord(facts | more)


def _line(record: logging.LogRecord) -> dict[str, Any]:
    line = formatter("json").format(record)
    assert "\n" not in line
    fields: dict[str, Any] = json.loads(line)
    return fields


def test_text_is_one_line_of_words() -> None:
    """A text line has time, level, logger and message, without fields."""
    line = formatter("text").format(_record(status=200))
    assert line.endswith(" INFO gateway.access GET /x")
    assert "200" not in line


def test_json_has_the_same_and_the_fields() -> None:
    """A JSON line has the fields with their types."""
    fields = _line(_record(status=200, duration_ms=12.5))
    assert fields.pop("timestamp")
    assert fields == {
        "level": "INFO",
        "logger": "gateway.access",
        "message": "GET /x",
        "status": 200,
        "duration_ms": 12.5,
    }


def test_the_time_is_rfc_3339_in_utc() -> None:
    """The timestamp does not depend on the machine's time zone."""
    fields = _line(_record(created=1764000000.5))
    assert fields["timestamp"] == "2025-11-24T16:00:00.500000+00:00"
    assert datetime.fromisoformat(fields["timestamp"]) == datetime.fromtimestamp(1764000000.5, UTC)


def test_a_traceback_stays_in_its_line() -> None:
    """A traceback is a field, because log collectors read one event per line."""
    try:
        int("broken\nin two")
    except ValueError:
        fields = _line(_record(exc_info=sys.exc_info()))
    assert fields["exc_info"].startswith("Traceback")
    assert "\n" in fields["exc_info"]


def test_what_a_client_sent_cannot_break_a_line() -> None:
    """Quotes and line breaks are escaped."""
    assert _line(_record(path='/"\n{}'))["path"] == '/"\n{}'


def test_what_servers_add_for_terminals_is_left_out() -> None:
    """uvicorn's coloured copy of the message is dropped."""
    assert "color_message" not in _line(_record(color_message="\x1b[1mGET\x1b[0m"))
