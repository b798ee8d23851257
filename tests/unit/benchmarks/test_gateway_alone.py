"""A gateway before a fake TorchServe: it knows the version by a node that reports it."""

import base64
import json
from pathlib import Path

import httpx
import pytest

from benchmarks.servers.gateway_alone import fake_torchserve, gateway_alone
from benchmarks.servers.recorded_responses import MANAGEMENT, PREDICTIONS
from scripts.archives.archive import DEFAULT_VERSION
from tests.unit.gateway.archives.zip_files import manifest, sound_archive
from tests.unit.gateway.doubles import mask_png


@pytest.mark.slow
def test_the_gateway_answers_with_what_was_recorded(tmp_path: Path) -> None:
    """As soon as it is ready; its state is its own, and is gone afterwards."""
    answers, archive = tmp_path / "answers.json", tmp_path / "archive.mar"
    archive.write_bytes(
        sound_archive(**{"MAR-INF/MANIFEST.json": manifest(version=DEFAULT_VERSION)})
    )
    mask = {"status": 200, "headers": {"content-type": "image/png", "x-class-pixels": "0=9,15=3"}}
    recorded = {
        PREDICTIONS: {**mask, "body": base64.b64encode(mask_png()).decode()},
        MANAGEMENT[0]: {"status": 200, "headers": {}, "body": ""},
    }
    answers.write_text(json.dumps(recorded))
    with fake_torchserve(answers) as torchserve, gateway_alone(torchserve, archive) as (url, _):
        response = httpx.post(f"{url}/segmentation", files={"file": b"photo"}, timeout=30)
    assert (response.status_code, response.headers["x-class-pixels"]) == (200, "0=9,15=3")
