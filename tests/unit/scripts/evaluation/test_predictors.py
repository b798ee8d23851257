"""An archive and the checkpoint that it was made from give the same masks."""

import json
from pathlib import Path

import numpy as np
import pytest

from scripts.evaluation.predictors import (
    ArchivePredictor,
    CheckpointPredictor,
    EvaluationError,
    check_labels,
)
from scripts.networks.architectures import ModelChoice
from scripts.readers.chain import load_checkpoint
from tests.unit.handler.files import EXAMPLES
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


@pytest.mark.parametrize("content", [b"", b"no archive"])
def test_a_file_that_is_no_archive_is_refused(tmp_path: Path, content: bytes) -> None:
    """The error names the file."""
    path = tmp_path / "model.mar"
    path.write_bytes(content)
    with pytest.raises(EvaluationError, match=r"model\.mar is not a model archive"):
        ArchivePredictor(path)


def test_an_archive_of_another_handler_is_refused(tmp_path: Path) -> None:
    """A zip file without model.json is no archive of this handler."""
    import zipfile

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
    with pytest.raises(EvaluationError, match=r"--labels .*none\.json is not a JSON object"):
        check_labels(tmp_path / "none.json", SeesRed())
