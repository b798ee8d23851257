"""Odd files on the running product: a mask or a clear refusal, soon, and bounded memory."""

import io
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace

import httpx
import pytest
from PIL import Image

from tests import memory_use
from tests.memory_use import MIB
from tests.odd_files.corpus import GROUPS
from tests.odd_files.odd_file import OddFile
from tests.stack import Stack

CONNECTIONS = 4
LONGEST_S = 20.0  # by the clock, which runs on while a busy machine does other things
MOST_PROCESSOR_S = 4.5  # three of them for decoding
CODES = {
    413: {"too_many_pixels", "image_too_large"},
    415: {"unsupported_format"},
    422: {"unreadable_image"},
}
# A mask of more pixels is not decoded here: that takes longer than all the rest.
MOST_CHECKED_PIXELS = 5_000_000


@dataclass(frozen=True)
class Outcome:
    """The outcome for one file.

    fault: what is wrong with its answer, if anything. processor_s: the workers' processor time, of
    files that are sent alone.
    """

    name: str
    family: str
    size: int
    status: int
    seconds: float
    fault: str
    processor_s: float = 0.0


@dataclass(frozen=True)
class Run:
    """The outcomes for all files, and the memory of the processes."""

    outcomes: list[Outcome]
    workers: list[memory_use.Process]
    gateway: memory_use.Process


def _fault(odd: OddFile, answer: httpx.Response) -> str:
    if answer.status_code not in odd.statuses:
        return f"{answer.status_code} instead of {odd.statuses}: {answer.text[:200]}"
    return _fault_of_mask(odd, answer) if answer.is_success else _fault_of_problem(answer)


def _fault_of_mask(odd: OddFile, answer: httpx.Response) -> str:
    mask = Image.open(io.BytesIO(answer.content))
    if odd.size not in (None, mask.size):
        return f"a mask of {mask.size} instead of {odd.size}"
    if mask.width * mask.height <= MOST_CHECKED_PIXELS:
        mask.load()
    return "" if mask.mode == "P" else f"a mask of mode {mask.mode}"


def _fault_of_problem(answer: httpx.Response) -> str:
    problem = answer.json()
    right = (
        answer.headers["content-type"] == "application/problem+json"
        and problem["code"] in CODES[answer.status_code]
        and problem["request_id"] == answer.headers["x-request-id"]
        and len(problem["detail"]) > 20
        and (answer.status_code != 415 or "JPEG, PNG, WebP, GIF, TIFF, BMP" in problem["detail"])
    )
    return "" if right else f"not a helpful problem document: {answer.text[:200]}"


def _send(gateway: httpx.Client, odd: OddFile) -> Outcome:
    start = time.monotonic()
    answer = gateway.post("/segmentation", files={"file": (odd.name, odd.data)})
    seconds = time.monotonic() - start
    fault = _fault(odd, answer)
    return Outcome(odd.name, odd.family, len(odd.data), answer.status_code, seconds, fault)


def _send_alone(gateway: httpx.Client, odd: OddFile, workers: list[memory_use.Process]) -> Outcome:
    before = _processor_s(workers)
    outcome = _send(gateway, odd)
    return replace(outcome, processor_s=_processor_s(workers) - before)


def _processor_s(workers: list[memory_use.Process]) -> float:
    times = [each.process.cpu_times() for each in workers if each.process.is_running()]
    return float(sum(each.user + each.system for each in times))


def _send_group(
    gateway: httpx.Client, files: list[OddFile], workers: list[memory_use.Process]
) -> Iterator[Outcome]:
    with ThreadPoolExecutor(CONNECTIONS) as pool:
        quick = [odd for odd in files if not odd.costly]
        yield from pool.map(lambda odd: _send(gateway, odd), quick)
    yield from (_send_alone(gateway, odd, workers) for odd in files if odd.costly)


@pytest.fixture(scope="module")
def run(stack: Stack) -> Run:
    """A run that sends the whole corpus once."""
    with httpx.Client(base_url=stack.gateway_url, timeout=30.0) as gateway:
        warm = GROUPS["foreign"]()[:4]
        list(_send_group(gateway, warm, []))
        processes = (memory_use.workers(stack), memory_use.gateway(stack))
        outcomes = [
            outcome
            for make in GROUPS.values()
            for outcome in _send_group(gateway, make(), processes[0])
        ]
    return Run(outcomes, *processes)


def test_corpus_is_as_large_as_promised(run: Run) -> None:
    """At least 300 files with unique names, some of every accepted format."""
    names = [outcome.name for outcome in run.outcomes]
    assert len(names) >= 300
    assert [name for name, count in Counter(names).items() if count > 1] == []
    Image.init()
    families = {outcome.family for outcome in run.outcomes}
    assert {kind.lower() for kind in Image.OPEN} - families == set()


def test_every_file_gets_the_right_answer(run: Run) -> None:
    """The right 2xx or 4xx, never 5xx; a mask of the right size, or a refusal with its reason."""
    assert {outcome.name: outcome.fault for outcome in run.outcomes if outcome.fault} == {}


def test_every_answer_comes_soon(run: Run) -> None:
    """Also for files made to take long."""
    slow = {each.name: each.seconds for each in run.outcomes if each.seconds > LONGEST_S}
    assert slow == {}


def test_files_made_to_take_long_are_stopped(run: Run) -> None:
    """By their CPU time, which does not depend on other load."""
    taken = {each.name: each.processor_s for each in run.outcomes if each.processor_s > 0}
    assert len(taken) >= 5
    assert {name: each for name, each in taken.items() if each > MOST_PROCESSOR_S} == {}


def test_no_file_costs_a_worker(run: Run, stack: Stack) -> None:
    """The same processes are still running and ready."""
    assert [each for each in run.workers if not each.process.is_running()] == []
    ready = httpx.get(f"{stack.gateway_url}/readyz", timeout=30.0)
    assert ready.status_code == 200
    assert ready.json()["workers"] == len(run.workers) >= 2


def test_a_worker_needs_a_bounded_amount_of_memory(run: Run) -> None:
    """A gibibyte more at the peak, and a quarter of that afterwards.

    The most is what the largest picture takes as a WebP, 760 MiB; no bomb takes more.
    """
    assert max(each.peak - each.before for each in run.workers) < 1200 * MIB
    assert max(each.now - each.before for each in run.workers) < 300 * MIB


def test_the_gateway_needs_no_more_than_its_budget_for_uploads(run: Run) -> None:
    """64 MiB of uploads, once more on their way to TorchServe, and the masks."""
    assert run.gateway.peak - run.gateway.before < 200 * MIB
    assert run.gateway.now - run.gateway.before < 100 * MIB
