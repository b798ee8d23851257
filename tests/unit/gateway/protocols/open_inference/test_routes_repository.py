"""The repository index and the statistics under /v2, with Triton's own client."""

import time
from typing import Any

import httpx
import numpy as np
import pytest
import tritonclient.http as triton

from tests.unit.gateway.doubles import TorchServeDouble

pytestmark = pytest.mark.anyio

STATISTICS = "/v2/models/deeplabv3/stats"


def test_tritons_client_reads_the_repository_index(server: Any) -> None:
    """The client sends an empty body."""
    entry = {"name": "deeplabv3", "version": "1.0", "state": "READY", "reason": ""}
    assert server.get_model_repository_index() == [entry]


def test_tritons_client_reads_statistics(server: Any) -> None:
    """Each image is counted once, with its time; it is the same for all ways of asking."""
    image = triton.InferInput("image", [1], "BYTES")
    image.set_data_from_numpy(np.array([b"a photo"], dtype=object))
    before = server.get_inference_statistics("deeplabv3", "1.0")["model_stats"][0]
    assert (before["inference_count"], before["last_inference"]) == (0, 0)
    for _ in range(3):
        server.infer("deeplabv3", [image])
    found = server.get_inference_statistics()
    assert found == server.get_inference_statistics("deeplabv3")
    assert found == server.get_inference_statistics("deeplabv3", "1.0")
    (version,) = found["model_stats"]
    assert (version["name"], version["version"]) == ("deeplabv3", "1.0")
    assert version["inference_count"] == version["execution_count"] == 3
    assert 0 <= time.time() * 1000 - version["last_inference"] < 60_000
    durations = version["inference_stats"]
    assert {each["count"] for name, each in durations.items() if name != "fail"} == {3}
    assert durations["success"]["ns"] > durations["queue"]["ns"] >= 0
    assert durations["fail"] == {"count": 0, "ns": 0}


async def test_failures_are_counted(
    gateway: httpx.AsyncClient, torchserve: TorchServeDouble
) -> None:
    """Every image that the version gave no answer for counts, those of bad files too."""

    async def busy(_: httpx.Request) -> httpx.Response:
        return httpx.Response(503)

    torchserve.predict = busy
    refused = await gateway.post("/segmentation", files={"file": ("photo.jpg", b"photo")})
    assert refused.status_code == 503
    (version,) = (await gateway.get(STATISTICS)).json()["model_stats"]
    assert version["inference_stats"]["fail"]["count"] == 1
    assert version["inference_stats"]["fail"]["ns"] > 0
    assert version["inference_count"] == 0


async def test_the_index_lists_what_is_not_ready_too(
    gateway: httpx.AsyncClient, torchserve: TorchServeDouble
) -> None:
    """With `ready`, only what is ready."""
    torchserve.versions = {"1.0": 1, "2.0": 0}
    everything = (await gateway.post("/v2/repository/index")).json()
    assert [(each["version"], each["state"]) for each in everything] == [
        ("1.0", "READY"),
        ("2.0", "UNAVAILABLE"),
    ]
    ready = await gateway.post("/v2/repository/index", json={"ready": True})
    assert [each["version"] for each in ready.json()] == ["1.0"]


@pytest.mark.parametrize(
    ("content", "status"),
    [
        (b"", 200),
        (b"{}", 200),
        (b"[]", 422),
        (b'{"ready": "true"}', 422),
        (b'{"ready": 1}', 422),
        (b"{", 422),
    ],
)
async def test_bad_bodies_are_refused(
    gateway: httpx.AsyncClient, content: bytes, status: int
) -> None:
    """An empty body asks for everything."""
    headers = {"Content-Type": "application/json"}
    response = await gateway.post("/v2/repository/index", content=content, headers=headers)
    assert response.status_code == status


async def test_a_large_body_is_refused(gateway: httpx.AsyncClient) -> None:
    """The body is bounded."""
    response = await gateway.post("/v2/repository/index", content=b" " * 70_000)
    assert response.status_code == 413


@pytest.mark.parametrize(
    "path", ["/v2/models/other/stats", "/v2/models/deeplabv3/versions/9/stats"]
)
async def test_unknown_names_are_not_found(gateway: httpx.AsyncClient, path: str) -> None:
    """They get a 404 with the protocol's member."""
    response = await gateway.get(path)
    assert response.status_code == 404
    assert response.json()["error"] == response.json()["detail"]
