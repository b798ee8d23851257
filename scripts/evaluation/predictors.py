"""What can be evaluated without a server: an archive, or a checkpoint by the eager network."""

import io
import tempfile
import zipfile
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from deeplab.decode import MAX_PIXELS, decode
from deeplab.engines import load_engine
from deeplab.errors import RejectedImageError
from deeplab.pipeline import segment
from deeplab.postprocess import resize_class_ids
from deeplab.preprocess import preprocess
from deeplab.spec import InvalidSpecError, read_labels, read_spec
from scripts.archives import ZIP_ERRORS
from scripts.checkpoints import Checkpoint
from scripts.graphs import graph_of
from scripts.proof import eager


class EvaluationError(RuntimeError):
    """There is no prediction to evaluate; the text is one line that says why."""


class Predictor(Protocol):
    """Gives masks.

    source: what it is, for the report. labels: class id -> name.
    concurrency: how many pictures may be asked for at once.
    """

    source: str
    labels: dict[int, str]
    concurrency: int

    def predict(self, data: bytes) -> NDArray[np.uint8]:
        """An encoded picture -> (height, width) uint8 class ids. Raises EvaluationError."""
        ...


class ArchivePredictor:
    """An archive's own code path and engine, in this process."""

    concurrency = 1

    def __init__(self, path: Path):
        self.source = f"archive {path.name}"
        self._folder = tempfile.TemporaryDirectory(prefix="segserve-evaluate-")
        root = Path(self._folder.name)
        try:
            with zipfile.ZipFile(path) as file:
                file.extractall(root)
            spec = read_spec(root / "model.json")
            self.labels = read_labels(root / "deeplab" / "labels.json")
            self._engine = load_engine(root / "network", spec, threads=0)
        except (*ZIP_ERRORS, InvalidSpecError) as exc:
            raise EvaluationError(f"{path} is not a model archive ({exc})") from exc
        self._input = spec.input

    def predict(self, data: bytes) -> NDArray[np.uint8]:
        """As a worker would answer."""
        try:
            answer = segment(data, self._engine, self._input, MAX_PIXELS)
        except RejectedImageError as exc:
            raise EvaluationError(str(exc)) from exc
        return read_mask(answer.png)


class CheckpointPredictor:
    """The eager network in fp32, before any export."""

    concurrency = 1

    def __init__(self, checkpoint: Checkpoint):
        self.source = f"checkpoint of {checkpoint.architecture} ({checkpoint.origin})"
        self.labels = checkpoint.labels
        self._graph, self._input = graph_of(checkpoint), checkpoint.input

    def predict(self, data: bytes) -> NDArray[np.uint8]:
        """With the handler's own decoding and resizing."""
        try:
            decoded = decode(data, self._input.long_side)
        except RejectedImageError as exc:
            raise EvaluationError(str(exc)) from exc
        small = eager(self._graph, preprocess(decoded, self._input))
        return resize_class_ids(small, decoded.size)


def check_labels(path: Path, predictor: Predictor) -> None:
    """EvaluationError unless the file ``path`` gives the ids the names that ``predictor`` does."""
    try:
        wanted = read_labels(path)
    except InvalidSpecError as exc:
        raise EvaluationError(f"LABELS={exc}") from exc
    if wanted != predictor.labels:
        raise EvaluationError(
            f"LABELS={path}: {predictor.source} has other classes; "
            "measure what was trained with these, or leave LABELS out"
        )


def read_mask(png: bytes) -> NDArray[np.uint8]:
    """(height, width) uint8 class ids of a grey or indexed PNG."""
    with Image.open(io.BytesIO(png)) as mask:
        return np.asarray(mask)
