"""Segment many files: a bounded number of requests at once, each result written as a whole."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx

from scripts.archives.atomic_write import atomic_write
from scripts.prediction.gateway import (
    ALIVE,
    BYTES,
    JSON,
    PNG,
    SEGMENT,
    TRY_LATER,
    authorization,
    no_answer,
    refusal,
    retry_after,
)
from scripts.prediction.images import ImageFile

TIMEOUT_S = 120.0
TRIES = 8
LONGEST_PAUSE_S = 120.0  # a key's quota may be counted by the minute


class PredictionError(RuntimeError):
    """An image has no result; the text is one line that says why."""


@dataclass(frozen=True)
class Job:
    """The parameters of every image's request, and the folder ``out`` of the results.

    json: ask for a document about each image instead of a PNG.
    """

    gateway: str
    key: str | None
    out: Path
    render: str = "colour"
    palette: str = "seed"
    classes: str | None = None
    version: str | None = None
    json: bool = False
    concurrency: int = 4

    @property
    def query(self) -> dict[str, str]:
        """The parameters of a request."""
        wanted = {"palette": self.palette, "classes": self.classes, "version": self.version}
        wanted["render"] = None if self.json else self.render
        return {name: value for name, value in wanted.items() if value is not None}

    @property
    def headers(self) -> dict[str, str]:
        """The headers of a request."""
        form = {"Accept": JSON if self.json else PNG, "Content-Type": BYTES}
        return form | authorization(self.key)

    def target(self, image: ImageFile) -> Path:
        """The file of an image's result."""
        place = self.out / image.place
        return place.with_name(f"{place.name}{'.json' if self.json else '.png'}")


Report = Callable[[ImageFile, Exception | None], None]


def segment_all(job: Job, images: Iterable[ImageFile], report: Report) -> None:
    """Segment all images; ``report`` is called for each, with the error if there is no result.

    KeyboardInterrupt leaves finished results and no half ones.
    """
    asyncio.run(_segment_all(job, images, report))


async def _segment_all(job: Job, images: Iterable[ImageFile], report: Report) -> None:
    left = iter(images)

    async def work(client: httpx.AsyncClient) -> None:
        for image in left:  # shared: each worker takes the next one
            try:
                await _segment(client, job, image)
            except (PredictionError, OSError) as exc:
                report(image, exc)
            else:
                report(image, None)

    async with _client(job) as client, asyncio.TaskGroup() as workers:
        for _ in range(job.concurrency):
            workers.create_task(work(client))


@asynccontextmanager
async def _client(job: Job) -> AsyncIterator[httpx.AsyncClient]:
    # The gateway is given by address: a proxy of the environment has no place in between.
    async with httpx.AsyncClient(
        base_url=job.gateway,
        timeout=TIMEOUT_S,
        trust_env=False,
        headers=job.headers,
    ) as client:
        yield client


async def _segment(client: httpx.AsyncClient, job: Job, image: ImageFile) -> None:
    content = await _ask(client, job, image.path.read_bytes())
    target = job.target(image)
    target.parent.mkdir(parents=True, exist_ok=True)
    with atomic_write(target) as file:
        file.write(content)


async def _ask(client: httpx.AsyncClient, job: Job, data: bytes) -> bytes:
    """Request the result of one image; a busy gateway is asked again after its Retry-After."""
    response = await _send(client, job, data)
    for _ in range(TRIES - 1):
        if response.status_code not in TRY_LATER:
            break
        await asyncio.sleep(retry_after(response, LONGEST_PAUSE_S))
        response = await _send(client, job, data)
    if response.is_success:
        return response.content
    raise PredictionError(refusal(response))


async def _send(client: httpx.AsyncClient, job: Job, data: bytes) -> httpx.Response:
    try:
        return await client.post(SEGMENT, params=job.query, content=data)
    except httpx.HTTPError as exc:
        raise PredictionError(no_answer(client.base_url, exc)) from exc


def check_gateway(job: Job) -> None:
    """Raise PredictionError if nothing answers at the address."""
    try:
        httpx.get(job.gateway + ALIVE, timeout=10.0, trust_env=False)
    except (httpx.HTTPError, httpx.InvalidURL, ValueError) as exc:
        raise PredictionError(no_answer(job.gateway, exc)) from exc
