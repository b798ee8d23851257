"""An archive and the checkpoint that it was made from give the same masks."""

import io
import json
import zipfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from scripts.evaluation.predictors import (
    ArchivePredictor,
    CheckpointPredictor,
    EvaluationError,
    check_labels,
    read_mask,
)
from scripts.networks.architectures import ModelChoice
from scripts.readers.chain import load_checkpoint
from segmentation_handler import SegmentationHandler
from tests.archives import renumbered
from tests.unit.handler.files import EXAMPLES
from tests.unit.handler.worker import handle, worker_context
from tests.unit.scripts.evaluation.test_measure import SeesRed

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def predictors(archive: Path) -> list[ArchivePredictor | CheckpointPredictor]:
    """The bundled model in both forms."""
    return [ArchivePredictor(archive), CheckpointPredictor(load_checkpoint(ModelChoice()))]


def test_both_forms_agree(predictors: list[ArchivePredictor | CheckpointPredictor]) -> None:
    """Archive and checkpoint agree as the export requires, with the same labels."""
    data = (EXAMPLES / "cat.jpg").read_bytes()
    masks = [each.predict(data) for each in predictors]
    assert masks[0].shape == masks[1].shape
    assert (masks[0] == masks[1]).mean() > 0.99
    assert predictors[0].labels == predictors[1].labels
    assert [each.source.split()[0] for each in predictors] == ["archive", "checkpoint"]


def test_both_forms_refuse_what_is_no_picture(
    predictors: list[ArchivePredictor | CheckpointPredictor],
) -> None:
    """The error has the handler's message."""
    for each in predictors:
        with pytest.raises(EvaluationError):
            each.predict(b"no picture")


def test_the_masks_are_as_large_as_the_photograph(
    predictors: list[ArchivePredictor | CheckpointPredictor],
) -> None:
    """The shape is (height, width)."""
    data = (EXAMPLES / "coffee.jpg").read_bytes()
    for each in predictors:
        assert each.predict(data).dtype == np.uint8
        assert each.predict(data).shape == (400, 600)


def large_photograph() -> bytes:
    """A photograph at which one look is not all there is."""
    buffer = io.BytesIO()
    with Image.open(EXAMPLES / "cat.jpg") as image:
        image.resize((1353, 900)).save(buffer, "JPEG", quality=90)
    return buffer.getvalue()


@pytest.mark.parametrize("tile", ["off", 600])
def test_an_archive_looks_at_large_photographs_as_its_worker(
    archive: Path, tmp_path: Path, tile: int | str
) -> None:
    """What model.json says about tiles holds without a server too."""
    data = large_photograph()
    path = renumbered(archive, tmp_path / "tiled.mar", "1.0", tile=tile)
    with zipfile.ZipFile(path) as file:
        file.extractall(tmp_path / "unpacked")
    worker = SegmentationHandler()
    worker.initialize(worker_context(tmp_path / "unpacked"))
    (png,), _ = handle(worker, [{"body": data}])
    predicted = ArchivePredictor(path).predict(data)
    assert np.array_equal(predicted, read_mask(png))
    whole = ArchivePredictor(archive).predict(data)
    assert np.array_equal(predicted, whole) == (tile == "off")


def test_the_archives_limit_of_tiles_counts(archive: Path, tmp_path: Path) -> None:
    """With the handler's message."""
    path = renumbered(archive, tmp_path / "few.mar", "1.0", tile=200, max_tiles=2)
    with pytest.raises(EvaluationError, match="the limit is 2"):
        ArchivePredictor(path).predict(large_photograph())


def test_a_model_of_no_numbers_is_one_line(archive: Path, tmp_path: Path) -> None:
    """As after a training that diverged."""
    path = renumbered(archive, tmp_path / "diverged.mar", "1.0", diverged=True)
    with pytest.raises(EvaluationError, match="no numbers"):
        ArchivePredictor(path).predict((EXAMPLES / "cat.jpg").read_bytes())


@pytest.mark.parametrize("content", [b"", b"no archive"])
def test_a_file_that_is_no_archive_is_refused(tmp_path: Path, content: bytes) -> None:
    """The error names the file."""
    path = tmp_path / "model.mar"
    path.write_bytes(content)
    with pytest.raises(EvaluationError, match=r"model\.mar is not a model archive"):
        ArchivePredictor(path)


def test_an_archive_of_another_handler_is_refused(tmp_path: Path) -> None:
    """A zip file without model.json is no archive of this handler."""
    with zipfile.ZipFile(tmp_path / "other.mar", "w") as file:
        file.writestr("handler.py", "")
    with pytest.raises(EvaluationError, match=r"model\.json"):
        ArchivePredictor(tmp_path / "other.mar")


def test_a_missing_archive_is_refused(tmp_path: Path) -> None:
    """It is reported like one that cannot be read."""
    with pytest.raises(EvaluationError, match=r"none\.mar is not a model archive"):
        ArchivePredictor(tmp_path / "none.mar")


def test_the_predictors_own_labels_are_taken(tmp_path: Path) -> None:
    """Labels are matched by id, not by their order in the file."""
    path = tmp_path / "labels.json"
    path.write_text(json.dumps({"2": "green", "0": "grey", "1": "red"}))
    check_labels(path, SeesRed())


@pytest.mark.parametrize(
    "labels",
    [
        {"0": "grey", "1": "green", "2": "red"},
        {"0": "grey", "1": "red"},
        {"0": "grey", "1": "red", "2": "green", "3": "blue"},
    ],
    ids=["other names", "fewer", "more"],
)
def test_other_labels_than_the_predictors_are_refused(
    tmp_path: Path, labels: dict[str, str]
) -> None:
    """Otherwise ids of one model would be scored as classes of another."""
    path = tmp_path / "labels.json"
    path.write_text(json.dumps(labels))
    with pytest.raises(EvaluationError, match=r"labels\.json: a rule has other classes") as failed:
        check_labels(path, SeesRed())
    assert str(failed.value).count("\n") == 0


def test_a_file_that_is_no_table_of_labels_is_refused(tmp_path: Path) -> None:
    """The error names the file."""
    with pytest.raises(EvaluationError, match=r"--labels .*none\.json cannot be read"):
        check_labels(tmp_path / "none.json", SeesRed())
