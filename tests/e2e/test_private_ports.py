"""TorchServe's ports obey the product alone: no web page and no other user of the machine."""

import json
import stat
import time
from collections.abc import Iterator
from typing import Any, Final

import grpc
import httpx
import pytest

from scripts.archives.archive import MODEL
from tests.stack import WORKERS, Stack
from tests.torchserve import loaded

LOAD: Final = f"/models?url={MODEL}-1.0.mar&model_name=intruder&initial_workers=1"
STOP: Final = f"/models/{MODEL}/1.0?min_worker=0&max_worker=0"
# What a page can send by itself, what DNS rebinding adds, and what another user can.
FOREIGN: Final[dict[str, dict[str, str]]] = {
    "plain": {},
    "page": {"Origin": "http://evil.test", "Sec-Fetch-Site": "cross-site"},
    "rebinding": {"Host": "evil.test"},
    "no token": {"Authorization": "Bearer"},
    "wrong token": {"Authorization": "Bearer AAAAAAAA"},
    "wrong scheme": {"Authorization": "Basic AAAAAAAA"},
}
MANAGEMENT: Final = [
    ("POST", LOAD),
    ("POST", f"{LOAD}&handler=this"),
    ("PUT", STOP),
    ("PUT", f"/models/{MODEL}/1.0/set-default"),
    ("DELETE", f"/models/{MODEL}/1.0"),
    ("GET", "/models"),
    ("GET", f"/models/{MODEL}?customized=true"),
]
INFERENCE: Final = [
    ("POST", f"/predictions/{MODEL}"),
    ("POST", f"/predictions/{MODEL}/1.0"),
    ("POST", f"/explanations/{MODEL}"),
    ("GET", "/ping"),
]
GRPC: Final = "/org.pytorch.serve.grpc"


def key(stack: Stack, api: str) -> str:
    """A token from TorchServe's own file."""
    return str(json.loads(stack.tokens_file.read_text())[api]["key"])


@pytest.fixture(autouse=True, scope="module")
def unchanged(stack: Stack) -> Iterator[None]:
    """All tries leave the same versions and workers serving."""

    def served() -> Any:
        models = httpx.get(f"{stack.gateway_url}/v1/models", timeout=30).json()
        return [(v["version"], v["default"], v["workers"]) for v in models["models"][0]["versions"]]

    while (before := served()) != [("1.0", True, WORKERS)]:
        time.sleep(0.2)  # the second worker is starting
    yield
    assert served() == before
    assert loaded(stack) == {"deeplabv3": ["1.0"]}
    assert httpx.get(f"{stack.gateway_url}/readyz", timeout=30).status_code == 200


def refusal(url: str, method: str, headers: dict[str, str]) -> str:
    """The text with which TorchServe refuses a request without its token."""
    answer = httpx.request(method, url, headers=headers, timeout=30)
    assert answer.status_code == 400
    assert "Token Authorization failed" in answer.text
    return answer.text


@pytest.mark.parametrize("headers", FOREIGN.values(), ids=FOREIGN.keys())
@pytest.mark.parametrize(("method", "target"), MANAGEMENT)
def test_the_management_api_requires_its_token(
    stack: Stack, method: str, target: str, headers: dict[str, str]
) -> None:
    """TorchServe refuses; the answer names no model."""
    assert MODEL not in refusal(stack.management_url + target, method, headers)


@pytest.mark.parametrize("headers", FOREIGN.values(), ids=FOREIGN.keys())
@pytest.mark.parametrize(("method", "target"), INFERENCE)
def test_the_inference_api_requires_its_token(
    stack: Stack, method: str, target: str, headers: dict[str, str]
) -> None:
    """No prediction without the token."""
    refusal(stack.inference_url + target, method, headers)


def test_the_token_of_the_inference_api_manages_nothing(stack: Stack) -> None:
    """The two APIs have different tokens."""
    headers = {"Authorization": f"Bearer {key(stack, 'inference')}"}
    answer = httpx.post(stack.management_url + LOAD, headers=headers, timeout=30)
    assert answer.status_code == 400


@pytest.mark.parametrize(
    ("port", "method"),
    [
        ("GRPC_MANAGEMENT", f"{GRPC}.management.ManagementAPIsService/RegisterModel"),
        ("GRPC_MANAGEMENT", f"{GRPC}.management.ManagementAPIsService/UnregisterModel"),
        ("GRPC_MANAGEMENT", f"{GRPC}.management.ManagementAPIsService/ScaleWorker"),
        ("GRPC_MANAGEMENT", f"{GRPC}.management.ManagementAPIsService/ListModels"),
        ("GRPC_INFERENCE", f"{GRPC}.inference.InferenceAPIsService/Predictions"),
    ],
)
def test_grpc_requires_its_token(stack: Stack, port: str, method: str) -> None:
    """The two ports that TorchServe always opens require tokens too."""
    with grpc.insecure_channel(f"127.0.0.1:{stack.ports[port]}") as channel:
        call = channel.unary_unary(method, lambda body: body, lambda body: body)
        with pytest.raises(grpc.RpcError) as refused:
            call(b"", timeout=30)
    assert refused.value.code() is grpc.StatusCode.PERMISSION_DENIED


def test_torchserves_metrics_are_off(stack: Stack) -> None:
    """They need no token, so that a rebinding page could read them."""
    with pytest.raises(httpx.ConnectError):
        httpx.get(f"http://127.0.0.1:{stack.ports['METRICS']}/metrics", timeout=30)


def test_the_tokens_are_their_users_alone(stack: Stack) -> None:
    """No other user can read the file or enter its folder."""
    assert stat.S_IMODE(stack.tokens_file.stat().st_mode) == 0o600
    assert stat.S_IMODE(stack.tokens_file.parent.stat().st_mode) == 0o700


def test_the_wrong_data_folder_is_one_line(stack: Stack) -> None:
    """The command cannot read the token of the gateway's user there, and says what to do."""
    environment = {**stack.environment, "SEGSERVE_SERVE_DATA_DIR": "/nonexistent"}
    done = stack.versions("remove", "1.0", environment=environment)
    assert done.returncode == 1
    assert done.stderr.count("\n") == 1
    assert "SEGSERVE_SERVE_DATA_DIR" in done.stderr
