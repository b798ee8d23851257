"""The prototype's stack: FastAPI with eager PyTorch inside the web process, one process."""

import os

import uvicorn
from fastapi import FastAPI, File, Response

from benchmarks.competitors.segmenters import segmenter
from benchmarks.setup.settings import PORT

app = FastAPI()
segment = segmenter()


@app.post("/segmentation")
def segmentation(file: bytes = File()) -> Response:  # FastAPI's own way
    """A photograph in, a mask out."""
    return Response(segment(file), media_type="image/png")


if __name__ == "__main__":
    uvicorn.run(app, port=int(os.environ[PORT]), log_level="warning")
