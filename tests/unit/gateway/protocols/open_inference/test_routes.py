"""The routes under /v2, as Triton's own client and others use them."""

import base64
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
import tritonclient.http as triton

from tests.unit.gateway.doubles import TorchServeDouble, application, client, serving

pytestmark = pytest.mark.anyio

MASK = [[15, 0, 0, 0]] * 3
INFER = "/v2/models/deeplabv3/infer"
PHOTO = base64.b64encode(b"a photo").decode()


@pytest.fixture
def server(torchserve: TorchServeDouble) -> Iterator[Any]:
    """Triton's client of a gateway on a real socket."""
    with serving(application(torchserve)) as port:
        found = triton.InferenceServerClient(f"127.0.0.1:{port}")
        yield found
        found.close()


def photo(*, binary: bool = True) -> Any:
    """An image as the client sends it; by default in binary."""
    sent = triton.InferInput("image", [1], "BYTES")
    content = b"a photo" if binary else PHOTO.encode()
    sent.set_data_from_numpy(np.array([content], dtype=object), binary_data=binary)
    return sent


def test_tritons_client_finds_the_server_and_its_model(server: Any) -> None:
    """It lives, it is ready, and it says what the model takes and gives."""
    assert server.is_server_live()
    assert server.is_server_ready()
    assert server.is_model_ready("deeplabv3")
    assert server.is_model_ready("deeplabv3", "1.0")
    assert not server.is_model_ready("deeplabv3", "9")
    assert server.get_server_metadata()["extensions"] == ["binary_tensor_data"]
    metadata = server.get_model_metadata("deeplabv3", "1.0")
    assert metadata == server.get_model_metadata("deeplabv3")
    assert metadata["versions"] == ["1.0"]
    assert metadata["inputs"] == [{"name": "image", "datatype": "BYTES", "shape": [1]}]
    assert metadata["outputs"][0] == {"name": "mask", "datatype": "UINT8", "shape": [-1, -1]}


@pytest.mark.parametrize("version", ["", "1.0"])
def test_tritons_client_infers_in_binary(
    server: Any, torchserve: TorchServeDouble, version: str
) -> None:
    """As it does unless told otherwise: with all outputs."""
    found = server.infer("deeplabv3", [photo()], version, request_id="42")
    assert found.get_response()["id"] == "42"
    assert found.as_numpy("mask").tolist() == MASK
    assert found.as_numpy("png")[0].startswith(b"\x89PNG")
    assert [each["name"] for each in json.loads(found.as_numpy("classes")[0])] == [
        "background",
        "person",
    ]
    assert torchserve.predictions[0].content == b"a photo"


@pytest.mark.parametrize("binary", [False, True])
def test_tritons_client_infers_in_json(
    server: Any, torchserve: TorchServeDouble, binary: bool
) -> None:
    """With only the output that it asks for, in either form."""
    outputs = [triton.InferRequestedOutput("mask", binary_data=binary)]
    found = server.infer("deeplabv3", [photo(binary=False)], outputs=outputs)
    assert found.as_numpy("mask").tolist() == MASK
    assert found.as_numpy("png") is None
    assert torchserve.predictions[0].content == b"a photo"


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"model_version": "9"}, "[404] deeplabv3 has no version 9. It has: 1.0."),
        (
            {"request_compression_algorithm": "gzip"},
            "[422] Content-Encoding 'gzip' is not taken. Send the body as it is.",
        ),
    ],
)
def test_tritons_client_shows_what_went_wrong(
    server: Any, options: dict[str, str], message: str
) -> None:
    """The problem's detail, which it takes from the member `error`."""
    with pytest.raises(triton.InferenceServerException) as failed:
        server.infer("deeplabv3", [photo()], **options)
    assert str(failed.value) == message


async def test_a_request_in_plain_json_is_answered(gateway: httpx.AsyncClient) -> None:
    """No client library is needed."""
    image = {"name": "image", "datatype": "BYTES", "shape": [1], "data": [PHOTO]}
    sent = {"id": "42", "inputs": [image], "outputs": [{"name": "mask"}]}
    answer = await gateway.post(INFER, json=sent)
    data = [number for row in MASK for number in row]
    assert answer.json() == {
        "model_name": "deeplabv3",
        "model_version": "1.0",
        "id": "42",
        "outputs": [{"name": "mask", "datatype": "UINT8", "shape": [3, 4], "data": data}],
    }
    assert answer.headers["Content-Type"] == "application/json"
    assert answer.headers["X-Model-Version"] == "1.0"
    assert "Inference-Header-Content-Length" not in answer.headers


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
async def test_errors_are_problems_with_a_member_more(
    gateway: httpx.AsyncClient, method: str, path: str, status: int
) -> None:
    """Clients of the protocol look for `error`; everybody else for what every problem has."""
    answer = await gateway.request(method, path)
    problem = answer.json()
    assert answer.headers["Content-Type"] == "application/problem+json"
    assert (answer.status_code, problem["status"]) == (status, status)
    assert problem["error"] == problem["detail"]
    assert problem["request_id"] == answer.headers["X-Request-ID"]


async def test_other_problems_have_no_such_member(gateway: httpx.AsyncClient) -> None:
    """Nor has what only begins like the protocol's routes."""
    for path in ("/v1/nothing", "/v2nothing"):
        assert "error" not in (await gateway.get(path)).json()


async def test_refusals_in_front_of_the_routes_have_it_too(
    torchserve: TorchServeDouble, tmp_path: Path
) -> None:
    """A client without a key reads why, and may still ask for the server's health."""
    options = {"auth": "on", "keys_file": tmp_path / "keys.json"}
    async with client(torchserve, **options) as gateway:
        refused = await gateway.post(INFER, content=b"")
        health = [await gateway.get(f"/v2/health/{which}") for which in ("live", "ready")]
    assert (refused.status_code, refused.json()["error"]) == (401, refused.json()["detail"])
    assert [each.status_code for each in health] == [200, 200]


async def test_it_is_not_ready_without_workers(
    gateway: httpx.AsyncClient, torchserve: TorchServeDouble
) -> None:
    """But it lives, and another version may be ready."""
    torchserve.versions = {"1.0": 0, "2.0": 1}
    paths = ("health/live", "health/ready", "models/deeplabv3/ready")
    statuses = [(await gateway.get(f"/v2/{path}")).status_code for path in paths]
    assert statuses == [200, 503, 503]
    assert (await gateway.get("/v2/models/deeplabv3/versions/2.0/ready")).status_code == 200


async def test_an_empty_image_is_refused(gateway: httpx.AsyncClient) -> None:
    """Before anybody is asked."""
    image = {"name": "image", "datatype": "BYTES", "shape": [1], "data": [""]}
    answer = await gateway.post(INFER, json={"inputs": [image]})
    assert (answer.status_code, answer.json()["code"]) == (422, "unreadable_image")
