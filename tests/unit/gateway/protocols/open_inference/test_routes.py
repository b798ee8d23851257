"""The routes under /v2, with Triton's own client and others."""

import base64
import json
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
import tritonclient.http as triton

from tests.unit.gateway.doubles import TorchServeDouble, client

pytestmark = pytest.mark.anyio

MASK = [[15, 0, 0, 0]] * 3
INFER = "/v2/models/deeplabv3/infer"
PHOTO = base64.b64encode(b"a photo").decode()


def photo(*, binary: bool = True) -> Any:
    """An image as Triton's client sends it, by default in binary."""
    tensor = triton.InferInput("image", [1], "BYTES")
    content = b"a photo" if binary else PHOTO.encode()
    tensor.set_data_from_numpy(np.array([content], dtype=object), binary_data=binary)
    return tensor


def test_tritons_client_finds_the_server_and_its_model(server: Any) -> None:
    """Liveness, readiness and metadata are available."""
    assert server.is_server_live()
    assert server.is_server_ready()
    assert server.is_model_ready("deeplabv3")
    assert server.is_model_ready("deeplabv3", "1.0")
    assert not server.is_model_ready("deeplabv3", "9")
    assert server.get_server_metadata()["extensions"] == ["binary_tensor_data", "statistics"]
    metadata = server.get_model_metadata("deeplabv3", "1.0")
    assert metadata == server.get_model_metadata("deeplabv3")
    assert metadata["versions"] == ["1.0"]
    assert metadata["inputs"] == [{"name": "image", "datatype": "BYTES", "shape": [1]}]
    assert metadata["outputs"][0] == {"name": "mask", "datatype": "UINT8", "shape": [-1, -1]}


@pytest.mark.parametrize("version", ["", "1.0"])
def test_tritons_client_infers_in_binary(
    server: Any, torchserve: TorchServeDouble, version: str
) -> None:
    """By default the client requests all outputs in binary."""
    result = server.infer("deeplabv3", [photo()], version, request_id="42")
    assert result.get_response()["id"] == "42"
    assert result.as_numpy("mask").tolist() == MASK
    assert result.as_numpy("png")[0].startswith(b"\x89PNG")
    assert [each["name"] for each in json.loads(result.as_numpy("classes")[0])] == [
        "background",
        "person",
    ]
    assert torchserve.predictions[0].content == b"a photo"


@pytest.mark.parametrize("binary", [False, True])
def test_tritons_client_infers_in_json(
    server: Any, torchserve: TorchServeDouble, binary: bool
) -> None:
    """One requested output is returned, in JSON or in binary."""
    outputs = [triton.InferRequestedOutput("mask", binary_data=binary)]
    result = server.infer("deeplabv3", [photo(binary=False)], outputs=outputs)
    assert result.as_numpy("mask").tolist() == MASK
    assert result.as_numpy("png") is None
    assert torchserve.predictions[0].content == b"a photo"


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"model_version": "9"}, "[404] deeplabv3 has no version 9. It has: 1.0. Aliases: stable."),
        (
            {"request_compression_algorithm": "gzip"},
            "[415] Content-Encoding 'gzip' is not taken. Send the body as it is.",
        ),
    ],
)
def test_tritons_client_shows_what_went_wrong(
    server: Any, options: dict[str, str], message: str
) -> None:
    """The client's exception has the detail, from the member `error`."""
    with pytest.raises(triton.InferenceServerException) as failed:
        server.infer("deeplabv3", [photo()], **options)
    assert str(failed.value) == message


async def test_a_request_in_plain_json_is_answered(gateway: httpx.AsyncClient) -> None:
    """A request in JSON needs no client library."""
    image = {"name": "image", "datatype": "BYTES", "shape": [1], "data": [PHOTO]}
    body = {"id": "42", "inputs": [image], "outputs": [{"name": "mask"}]}
    response = await gateway.post(INFER, json=body)
    data = [number for row in MASK for number in row]
    assert response.json() == {
        "model_name": "deeplabv3",
        "model_version": "1.0",
        "id": "42",
        "outputs": [{"name": "mask", "datatype": "UINT8", "shape": [3, 4], "data": data}],
    }
    assert response.headers["Content-Type"] == "application/json"
    assert response.headers["X-Model-Version"] == "1.0"
    assert "Inference-Header-Content-Length" not in response.headers


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/v2/models/other", 404),
        ("GET", "/v2/models/deeplabv3/versions/9", 404),
        ("GET", "/v2/models/deeplabv3/versions/9/ready", 404),
        ("GET", "/v2/models/deeplabv3/versions/-/ready", 422),
        ("GET", "/v2/models/deeplabv3/config", 404),
        ("GET", INFER, 405),
        ("POST", INFER, 422),
        ("POST", "/v2/models/deeplabv3/versions/1.0/infer", 422),
    ],
)
async def test_errors_are_problems_with_an_additional_member(
    gateway: httpx.AsyncClient, method: str, path: str, status: int
) -> None:
    """Errors have the member `error` beside those of every problem document."""
    response = await gateway.request(method, path)
    problem = response.json()
    assert response.headers["Content-Type"] == "application/problem+json"
    assert (response.status_code, problem["status"]) == (status, status)
    assert problem["error"] == problem["detail"]
    assert problem["request_id"] == response.headers["X-Request-ID"]


async def test_other_problems_have_no_such_member(gateway: httpx.AsyncClient) -> None:
    """Problem documents of other routes have no member `error`."""
    for path in ("/v1/nothing", "/v2nothing"):
        assert "error" not in (await gateway.get(path)).json()


async def test_refusals_in_front_of_the_routes_have_it_too(
    torchserve: TorchServeDouble, tmp_path: Path
) -> None:
    """A 401 of the middleware has the member `error`; the health routes are public."""
    options = {"auth": "on", "data_dir": tmp_path}
    async with client(torchserve, **options) as gateway:
        refusal = await gateway.post(INFER, content=b"")
        health = [await gateway.get(f"/v2/health/{which}") for which in ("live", "ready")]
    assert (refusal.status_code, refusal.json()["error"]) == (401, refusal.json()["detail"])
    assert [each.status_code for each in health] == [200, 200]


async def test_it_is_not_ready_without_workers(
    gateway: httpx.AsyncClient, torchserve: TorchServeDouble
) -> None:
    """Liveness does not depend on workers, and each version has its own readiness."""
    torchserve.versions = {"1.0": 0, "2.0": 1}
    paths = ("health/live", "health/ready", "models/deeplabv3/ready")
    statuses = [(await gateway.get(f"/v2/{path}")).status_code for path in paths]
    assert statuses == [200, 503, 503]
    assert (await gateway.get("/v2/models/deeplabv3/versions/2.0/ready")).status_code == 200


async def test_an_empty_image_is_refused(gateway: httpx.AsyncClient) -> None:
    """An empty image is a 422."""
    image = {"name": "image", "datatype": "BYTES", "shape": [1], "data": [""]}
    response = await gateway.post(INFER, json={"inputs": [image]})
    assert (response.status_code, response.json()["code"]) == (422, "unreadable_image")
