"""A client that segments throughout, and judges every answer by its mask."""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Final

import httpx

from tests.rollouts.colours import Colours

_EVERY_S: Final = 0.03
_SOME: Final = 4
BROKEN: Final = 0  # instead of a status: no answer


@dataclass(frozen=True)
class Answer:
    """An answer. began, ended: on the monotonic clock. asked: version, or empty for stable.

    version: that the answer names. network: that drew the mask. text: of an answer without one.
    """

    began: float
    ended: float
    asked: str
    status: int
    version: str = ""
    network: int | None = None
    text: str = ""


class Segmenting:
    """One image after the other, of the stable version and of another one in turn."""

    def __init__(self, url: str, key: str, colours: Colours) -> None:
        self.other = ""
        self.key = key
        self._url, self._colours = url, colours
        self._answers: list[Answer] = []
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._send_all)

    def taken(self) -> list[Answer]:
        """The answers since the last call."""
        answers, self._answers = self._answers, []
        return answers

    def wait_for_answers(self) -> None:
        """Wait until some requests that begin from now on are answered."""
        begins = time.monotonic()
        while sum(each.began > begins for each in list(self._answers)) < _SOME:
            assert self._thread.is_alive()
            time.sleep(0.01)  # polling another thread

    @contextmanager
    def going_on(self) -> Iterator["Segmenting"]:
        """Send images while the block runs."""
        self._thread.start()
        try:
            yield self
        finally:
            self._stop.set()
            self._thread.join()

    def _send_all(self) -> None:
        with httpx.Client(base_url=self._url, timeout=60.0, trust_env=False) as client:
            while not self._stop.wait(_EVERY_S):
                self._answers.append(self._send(client, ""))
                if other := self.other:
                    self._answers.append(self._send(client, other))

    def _send(self, client: httpx.Client, version: str) -> Answer:
        query = {"render": "labels"} | ({"version": version} if version else {})
        headers = {"Authorization": f"Bearer {self.key}", "Content-Type": "image/png"}
        began = time.monotonic()
        try:
            answer = client.post(
                "/v1/segment", params=query, content=self._colours.image, headers=headers
            )
        except httpx.TransportError as exc:
            return Answer(began, time.monotonic(), version, BROKEN, text=repr(exc))
        ended = time.monotonic()
        if not answer.is_success:
            return Answer(began, ended, version, answer.status_code, text=answer.text)
        return Answer(
            began,
            ended,
            version,
            answer.status_code,
            answer.headers["X-Model-Version"],
            self._colours.network_of(answer.content),
        )
