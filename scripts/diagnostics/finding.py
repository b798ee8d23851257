"""What a check found."""

from dataclasses import dataclass
from enum import Enum


class Level(Enum):
    """How much a finding matters: NOTE is about something optional, WRONG keeps us from running."""

    OK = "ok"
    NOTE = "note"
    WRONG = "WRONG"


@dataclass(frozen=True)
class Finding:
    """One line about one subject; if it is no OK, the text says what to do."""

    level: Level
    subject: str
    text: str

    def __str__(self) -> str:
        return f"{self.level.value:<6} {self.subject:<14} {self.text}"


def ok(subject: str, text: str) -> Finding:
    """All is well."""
    return Finding(Level.OK, subject, text)


def note(subject: str, text: str) -> Finding:
    """Something optional is missing, or worth knowing."""
    return Finding(Level.NOTE, subject, text)


def wrong(subject: str, text: str) -> Finding:
    """Something that is needed is missing or wrong."""
    return Finding(Level.WRONG, subject, text)
