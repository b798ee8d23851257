"""Locust users that send one photograph repeatedly, in a closed loop or at a steady rate.

Started by ``benchmarks.load.loops``. Writes when each answer came and how long it took.
"""

import itertools
import json
import os
import time
from pathlib import Path
from typing import Any

import gevent
from locust import FastHttpUser, events, task

LOAD = json.loads(Path(os.environ["SEGSERVE_BENCHMARK_LOAD"]).read_text())
BODY = Path(LOAD["body"]).read_bytes()
BAD_REQUEST = 400
PERIOD_S = LOAD["users"] / LOAD["rate"] if LOAD["rate"] else 0.0  # of one user

turns = itertools.count()
answers: list[tuple[float, float, int]] = []  # (sent, seconds since the epoch; ms; status or 0)


class Client(FastHttpUser):
    """One connection."""

    host = LOAD["host"]
    connection_timeout = network_timeout = 120.0

    def on_start(self) -> None:
        """Stagger the users of a steady rate, so that it is steady from request to request."""
        if LOAD["rate"]:
            gevent.sleep(next(turns) / LOAD["rate"])
        self.due_s = time.perf_counter()

    def wait_time(self) -> float:
        """Seconds until the next request is due, whenever the last one was answered."""
        self.due_s += PERIOD_S
        return max(0.0, self.due_s - time.perf_counter())

    @task
    def send(self) -> None:
        """One photograph."""
        with self.client.post(LOAD["path"], data=BODY, headers=LOAD["headers"]):
            pass


@events.request.add_listener
def remember(
    start_time: float, response_time: float, response: Any, exception: Any, **_: Any
) -> None:
    """Record a response; ``start_time`` is in seconds since the epoch.

    An answer that breaks off has a status and an exception, as one that is no success has.
    """
    status = response.status_code or 0
    is_broken = exception is not None and status < BAD_REQUEST
    answers.append((start_time, response_time, 0 if is_broken else status))


@events.quitting.add_listener
def write(**_: Any) -> None:
    """Write the recorded responses at the end."""
    Path(LOAD["answers"]).write_text(json.dumps(answers))
