"""What the agent says of the archive of this start, in the log that it shares with TorchServe."""

import re
from pathlib import Path

from scripts.launch.loading import stable_of
from scripts.launch.log_files import NewLines
from scripts.launch.processes import Child
from scripts.launch.supervision import ServeError, say


class SeedNotice:
    """Tells the user if the gateway does not take the archive of this start.

    archive: its file name. desired: the agent's file of what should be served. is_chosen: whether
    its model or version were chosen for this start, which then is an error, as something else would
    be served in its place.
    """

    def __init__(self, archive: str, desired: Path, *, is_chosen: bool) -> None:
        # The agent's sentence, as agent/disk/offers.py has it.
        self._refused = re.compile(rf"agent: {re.escape(archive)} is not taken: (.+)")
        self._archive, self._desired, self._is_chosen = archive, desired, is_chosen
        self._lines = NewLines()
        self._reason: str | None = None  # of the last refusal
        self._said: set[str] = set()

    def look(self, agent: Child, is_starting: bool) -> None:
        """Read what the agent has written since the last look.

        Raises ServeError if the start cannot be what the user wants: once everything is ready, a
        refusal ends nothing.
        """
        for line in self._lines.read(agent.log, agent.begins):
            if match := self._refused.fullmatch(line):
                self._reason = match[1]
        if self._reason is None:
            return
        if is_starting and (self._is_chosen or stable_of(self._desired) is None):
            raise ServeError(f"{self._archive} cannot be served: {self._reason}")
        if self._reason not in self._said:
            self._said.add(self._reason)
            say(f"the gateway does not take {self._archive}, and goes on as before: {self._reason}")
