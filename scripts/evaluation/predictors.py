"""Predictors without a server: an archive, or a checkpoint with the eager network."""

import io
import tempfile
import zipfile
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from deeplab.decode import MAX_PIXELS
from deeplab.engines import load_engine
from deeplab.errors import RejectedImageError
from deeplab.pipeline import segment
from deeplab.spec import InvalidSpecError, read_labels, read_spec
from scripts.archives.archive import ZIP_ERRORS
from scripts.export.eager import EagerModel
from scripts.networks.checkpoints import Checkpoint
from scripts.networks.labels import read_label_file


class EvaluationError(RuntimeError):
    """There is no prediction to evaluate; the text is one line that says why."""


class Predictor(Protocol):
    """A source of masks.

    source: its description for the report. labels: class id -> name.
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
        """Predict with the pipeline of a worker."""
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
        self._model = EagerModel(checkpoint)

    def predict(self, data: bytes) -> NDArray[np.uint8]:
        """Predict with the handler's own decoding and resizing."""
        try:
            return self._model.predict(data)
        except RejectedImageError as exc:
            raise EvaluationError(str(exc)) from exc


def check_labels(path: Path, predictor: Predictor) -> None:
    """Raise EvaluationError unless the file ``path`` has the labels of ``predictor``."""
    try:
        wanted = read_label_file(path)
    except InvalidSpecError as exc:
        raise EvaluationError(f"--labels {exc}") from exc
    if wanted != predictor.labels:
        raise EvaluationError(
            f"--labels {path}: {predictor.source} has other classes; "
            "measure what was trained with these, or leave --labels out"
        )


def read_mask(png: bytes) -> NDArray[np.uint8]:
    """(height, width) uint8 class ids of a grey or indexed PNG."""
    with Image.open(io.BytesIO(png)) as mask:
        return np.asarray(mask)
