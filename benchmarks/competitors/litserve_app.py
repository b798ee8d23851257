"""LitServe: its workers decode, predict and encode; its server parses the form."""

import os

import litserve
from fastapi import Request, Response

from benchmarks.competitors.segmenters import WORKER_PROCESSES, segmenter
from benchmarks.setup.settings import PORT


class Segmentation(litserve.LitAPI):
    """The four steps that LitServe asks for."""

    def setup(self, device: str) -> None:
        self._segment = segmenter()

    def decode_request(self, request: Request) -> bytes:
        return bytes(request["file"].file.read())

    def predict(self, x: bytes) -> bytes:
        return self._segment(x)

    def encode_response(self, output: bytes) -> Response:
        return Response(output, media_type="image/png")


if __name__ == "__main__":
    server = litserve.LitServer(
        Segmentation(), accelerator="cpu", workers_per_device=WORKER_PROCESSES
    )
    port = int(os.environ[PORT])
    server.run(host="127.0.0.1", port=port, generate_client_file=False, log_level="warning")
