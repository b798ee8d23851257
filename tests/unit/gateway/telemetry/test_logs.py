"""Log lines for people and for programs."""

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
    found: dict[str, Any] = json.loads(line)
    return found


def test_text_is_one_line_of_words() -> None:
    """Time, level, logger, message; no fields."""
    line = formatter("text").format(_record(status=200))
    assert line.endswith(" INFO gateway.access GET /x")
    assert "200" not in line


def test_json_has_the_same_and_the_fields() -> None:
    """As values with their types."""
    found = _line(_record(status=200, duration_ms=12.5))
    assert found.pop("timestamp")
    assert found == {
        "level": "INFO",
        "logger": "gateway.access",
        "message": "GET /x",
        "status": 200,
        "duration_ms": 12.5,
    }


def test_the_time_is_rfc_3339_in_utc() -> None:
    """Whatever the machine's time zone."""
    found = _line(_record(created=1764000000.5))
    assert found["timestamp"] == "2025-11-24T16:00:00.500000+00:00"
    assert datetime.fromisoformat(found["timestamp"]) == datetime.fromtimestamp(1764000000.5, UTC)


def test_a_traceback_stays_in_its_line() -> None:
    """What collects logs takes a line for an event."""
    try:
        int("broken\nin two")
    except ValueError:
        found = _line(_record(exc_info=sys.exc_info()))
    assert found["exc_info"].startswith("Traceback")
    assert "\n" in found["exc_info"]


def test_what_a_client_sent_cannot_break_a_line() -> None:
    """Quotes and line ends are escaped."""
    assert _line(_record(path='/"\n{}'))["path"] == '/"\n{}'


def test_what_servers_add_for_terminals_is_left_out() -> None:
    """uvicorn repeats its message with colours."""
    assert "color_message" not in _line(_record(color_message="\x1b[1mGET\x1b[0m"))
