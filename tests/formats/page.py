"""The table of docs/bring-your-model.md, and what became of its rows."""

import re
import shlex
from dataclasses import dataclass
from typing import Final

from scripts.archives.paths import ROOT

PAGE: Final = ROOT / "docs" / "bring-your-model.md"
HEAD: Final = "| what you have | command |\n| --- | --- |\n"
RESULTS: Final = ROOT / ".cache" / "formats" / "bring-your-model.md"


@dataclass(frozen=True)
class Row:
    """A kind of file, and the arguments of ``segserve build`` for it."""

    kind: str
    arguments: tuple[str, ...]

    @property
    def file(self) -> str:
        """The name of the file or folder of weights."""
        return self.arguments[0]


@dataclass(frozen=True)
class Result:
    """The figures of a row: shares of pixels with the original's class, means over photographs.

    proof: by provenance.json. at_input, at_picture: of the archive and the library's own code, at
    the size of the network's input and of the picture. seconds: of the command.
    """

    row: Row
    precision: str
    proof: float
    at_input: float
    at_picture: float
    seconds: float


def rows() -> list[Row]:
    """The table's rows; ValueError if one is no command of ours."""
    table = PAGE.read_text(encoding="utf-8").partition(HEAD)[2].partition("\n\n")[0]
    return [_row(line) for line in table.splitlines()]


def _row(line: str) -> Row:
    found = re.fullmatch(r"\| (.+) \| `segserve build (.+)` \|", line)
    if found is None:
        raise ValueError(f"{PAGE.name}: a row without a command: {line}")
    return Row(found[1], tuple(shlex.split(found[2])))


HEADING: Final = (
    "| row | precision | proof | library's masks | at the picture's size | seconds |\n"
    "| --- | --- | --- | --- | --- | --- |\n"
)


def begin() -> None:
    """Empty the table that outlasts the tests."""
    RESULTS.parent.mkdir(parents=True, exist_ok=True)
    RESULTS.write_text(HEADING, encoding="utf-8")


def note(results: list[Result]) -> None:
    """Add a row's lines to it; several processes of pytest may do so."""
    with RESULTS.open("a", encoding="utf-8") as file:
        file.write("".join(map(_line, results)))


def _line(each: Result) -> str:
    return (
        f"| {each.row.file} | {each.precision} | {each.proof:.3%} | {each.at_input:.3%} "
        f"| {each.at_picture:.3%} | {each.seconds:.0f} |\n"
    )
