"""Findings of the checks."""

from dataclasses import dataclass
from enum import Enum


class Level(Enum):
    """Severity: NOTE is about something optional, WRONG keeps the product from running."""

    OK = "ok"
    NOTE = "note"
    WRONG = "WRONG"


@dataclass(frozen=True)
class Finding:
    """The result of a check, in one line; unless it is OK, the text says what to do."""

    level: Level
    subject: str
    text: str

    def __str__(self) -> str:
        return f"{self.level.value:<6} {self.subject:<14} {self.text}"


def ok(subject: str, text: str) -> Finding:
    """A finding without a problem."""
    return Finding(Level.OK, subject, text)


def note(subject: str, text: str) -> Finding:
    """A finding about something optional."""
    return Finding(Level.NOTE, subject, text)


def wrong(subject: str, text: str) -> Finding:
    """A finding about something required that is missing or wrong."""
    return Finding(Level.WRONG, subject, text)
