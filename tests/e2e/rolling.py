"""Roll-backs under load: ``python -m tests.e2e.rolling 20`` counts what 20 rounds lose."""

import io
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

import httpx
from PIL import Image

from tests.archives import renumbered
from tests.stack import ROOT, Stack, running_stack

SECOND = "12.0"
EVERY_S = 1 / 8
MEGAPIXELS_12 = (4000, 3000)
Outcome = tuple[int, str]  # status, and the version that answered, or what went wrong


def large_photograph() -> bytes:
    """A JPEG of 12 megapixels, which a worker computes for some 100 ms."""
    buffer = io.BytesIO()
    with Image.open(ROOT / "ui" / "examples" / "cat.jpg") as image:
        image.resize(MEGAPIXELS_12).save(buffer, "JPEG", quality=90)
    return buffer.getvalue()


@contextmanager
def eight_a_second(stack: Stack) -> Iterator[list["Future[Outcome]"]]:
    """Send a photograph every 125 ms, whether the ones before are answered or not."""
    picture, done, outcomes = large_photograph(), threading.Event(), list["Future[Outcome]"]()

    def send() -> Outcome:
        began = time.strftime("%H:%M:%S")
        answer = httpx.post(f"{stack.gateway_url}/v1/segment", content=picture, timeout=60.0)
        served = answer.headers.get("X-Model-Version", "")
        return answer.status_code, served if answer.is_success else f"{began} {answer.text}"

    def clock(pool: ThreadPoolExecutor) -> None:
        while not done.wait(EVERY_S):
            outcomes.append(pool.submit(send))

    with ThreadPoolExecutor(64) as pool:
        ticking = threading.Thread(target=clock, args=(pool,))
        ticking.start()
        try:
            yield outcomes
        finally:
            done.set()
            ticking.join()


def roll(stack: Stack, archive: Path, rounds: int) -> list[Outcome]:
    """Add a version, make it the default, roll back and remove it, ``rounds`` times, under load."""
    with eight_a_second(stack) as outcomes:
        for _ in range(rounds):
            for command in (
                ("add", str(archive), "--workers", "2"),
                ("default", SECOND),
                ("default", "1.0"),
                ("remove", SECOND),
            ):
                done = stack.versions(*command)
                print(time.strftime("%H:%M:%S"), *command, done.stdout, done.stderr, end="")
                assert (done.returncode, done.stderr) == (0, ""), command
    return [outcome.result() for outcome in outcomes]


def main() -> None:
    """Print the outcomes of the rounds; exit with 1 if a request was lost."""
    rounds = int(sys.argv[1])
    with running_stack(SEGSERVE_SERVE_UI="false") as stack, TemporaryDirectory() as folder:
        bundled = stack.model_store / "deeplabv3-1.0.mar"
        outcomes = roll(stack, renumbered(bundled, Path(folder) / "new.mar", SECOND), rounds)
    for (status, detail), count in Counter(outcomes).most_common():
        print(f"{count:6} x {status} {detail}")
    sys.exit(any(status != httpx.codes.OK for status, _ in outcomes))


if __name__ == "__main__":
    main()
