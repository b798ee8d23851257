"""Ray Serve: replicas behind its HTTP proxy, which hands each the request."""

import os
import time

from ray import serve
from starlette.datastructures import UploadFile
from starlette.requests import Request
from starlette.responses import Response

from benchmarks.competitors.segmenters import WORKER_PROCESSES, segmenter
from benchmarks.setup.settings import PORT


@serve.deployment(num_replicas=WORKER_PROCESSES, ray_actor_options={"num_cpus": 1})
class Segmentation:
    """One replica."""

    def __init__(self) -> None:
        self._segment = segmenter()

    async def __call__(self, request: Request) -> Response:
        """A photograph in, a mask out."""
        async with request.form() as form:
            file = form["file"]
            data = await file.read() if isinstance(file, UploadFile) else b""
        return Response(self._segment(data), media_type="image/png")


if __name__ == "__main__":
    serve.start(http_options={"host": "127.0.0.1", "port": int(os.environ[PORT])})
    application = Segmentation.bind()  # type: ignore[attr-defined]  # the decorator adds it
    serve.run(application, route_prefix="/segmentation")
    while True:
        time.sleep(60)  # the servers are other processes: this one only holds them
