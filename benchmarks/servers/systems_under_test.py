"""The systems under test: the command, requests and responses of each server."""

import base64
import json
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from benchmarks.load.loops import Request
from benchmarks.servers.server_process import Command
from benchmarks.setup.environments import interpreter_of
from benchmarks.setup.models import Model
from benchmarks.setup.settings import (
    ARCHITECTURE,
    ARCHIVE,
    CACHE,
    ENGINE,
    NEWCOMER,
    PORT,
    VARIANT,
    WEIGHTS,
    WORKERS,
    environment,
)
from scripts.archives.archive import DEFAULT_VERSION, MODEL
from scripts.launch.settings import default_workers

BOUNDARY = "segserve-benchmark"
COMPETITORS = ("litserve", "bentoml", "ray_serve", "mlserver")
PROTOTYPE, PRODUCT = "prototype", "product"
PORTS = 6  # of the product; no other server needs more
GATEWAY, TORCHSERVE = "gateway", "torchserve"


@dataclass(frozen=True)
class Endpoint:
    """One endpoint of a server.

    request: JPEG -> request. png: response body -> the PNG in it.
    is_newcomer: whether it serves the network as a newcomer writes it.
    """

    name: str
    request: Callable[[bytes], Request]
    png: Callable[[bytes], bytes]
    is_newcomer: bool = False


@dataclass(frozen=True)
class Server:
    """A server and its endpoints."""

    name: str
    command: Command
    endpoints: tuple[Endpoint, ...]


def form(jpeg: bytes) -> tuple[bytes, str]:
    """(body, content type) of a form with the photograph in its field ``file``."""
    head = (
        f"--{BOUNDARY}\r\nContent-Disposition: form-data; "
        'name="file"; filename="photograph.jpg"\r\nContent-Type: image/jpeg\r\n\r\n'
    )
    body = head.encode() + jpeg + f"\r\n--{BOUNDARY}--\r\n".encode()
    return body, f"multipart/form-data; boundary={BOUNDARY}"


def all_servers(model: Model, ports: list[int]) -> list[Server]:
    """The product, then its competitors. ``ports``: PORTS free ones."""
    servers = [product(model, ports), competitor(PROTOTYPE, NEWCOMER, model, ports)]
    for variant in (ENGINE, NEWCOMER):
        servers += [competitor(name, variant, model, ports) for name in COMPETITORS]
    return servers


def product(model: Model, ports: list[int], settings: Mapping[str, str] | None = None) -> Server:
    """TorchServe and gateway, as ``make run`` starts them, without the page."""
    prefix = "SEGSERVE_SERVE_"
    names = ["GATEWAY_PORT", "INFERENCE_PORT", "MANAGEMENT_PORT", "METRICS_PORT"]
    names += ["GRPC_INFERENCE_PORT", "GRPC_MANAGEMENT_PORT"]
    env = {
        **environment(),
        **{prefix + name: str(port) for name, port in zip(names, ports, strict=True)},
        f"{prefix}UI": "false",
        f"{prefix}MODEL_STORE": str(model.store),
        f"{prefix}RUN_DIR": str(CACHE / "run"),
        f"{prefix}DATA_DIR": str(model.store / "data"),
        **model.choice,
        **(settings or {}),
    }
    gateway, torchserve = (f"http://127.0.0.1:{port}" for port in ports[:2])
    command = Command(
        PRODUCT, (sys.executable, "-m", "scripts", "serve"), env, ready=f"{gateway}/readyz"
    )
    raw = "application/octet-stream"

    def token() -> str:
        """TorchServe's token, once it runs."""
        return authorization(command, "inference")["Authorization"]

    predict = f"{torchserve}/predictions/{MODEL}/{DEFAULT_VERSION}"
    return Server(
        PRODUCT,
        command,
        (
            Endpoint(GATEWAY, lambda jpeg: Request(f"{gateway}/segmentation", *form(jpeg)), _same),
            Endpoint(TORCHSERVE, lambda jpeg: Request(predict, jpeg, raw, token()), _same),
        ),
    )


def authorization(product_command: Command, api: str) -> dict[str, str]:
    """The header with the token of TorchServe's "management" or "inference" API."""
    env = product_command.env
    folder = Path(env["SEGSERVE_SERVE_RUN_DIR"]) / f"agent-{env['SEGSERVE_SERVE_MANAGEMENT_PORT']}"
    tokens = json.loads((folder / "torchserve" / "key_file.json").read_text())
    return {"Authorization": f"Bearer {tokens[api]['key']}"}


def competitor(name: str, variant: str, model: Model, ports: list[int]) -> Server:
    """A competitor, with our engine code or as a newcomer writes it."""
    label = name if name == PROTOTYPE else f"{name}_{variant}"
    env = {
        **environment(),
        PORT: str(ports[0]),
        VARIANT: variant,
        WORKERS: str(_workers(variant)),
        ARCHIVE: str(model.unpacked),
        ARCHITECTURE: model.architecture,
        WEIGHTS: str(model.weights),
    }
    arguments, path, more = _STARTS[name](ports, variant)
    base = f"http://127.0.0.1:{ports[0]}"
    command = Command(label, arguments, {**env, **more}, ready=f"{base}{path}")
    is_newcomer = variant == NEWCOMER
    if name == "mlserver":
        ask = Endpoint(
            label, lambda jpeg: _open_inference(base, jpeg), _from_open_inference, is_newcomer
        )
    else:
        route = "/predict" if name == "litserve" else "/segmentation"
        ask = Endpoint(label, lambda jpeg: Request(base + route, *form(jpeg)), _same, is_newcomer)
    return Server(label, command, (ask,))


def _workers(variant: str) -> int:
    """The product's default number of workers; a newcomer leaves every framework at one."""
    return default_workers() if variant == ENGINE else 1


# Arguments, path that answers 200 once it serves, further environment.
Start = tuple[tuple[str, ...], str, dict[str, str]]


def _prototype(ports: list[int], variant: str) -> Start:
    return (sys.executable, "-m", "benchmarks.competitors.prototype"), "/openapi.json", {}


def _litserve(ports: list[int], variant: str) -> Start:
    python = str(interpreter_of("litserve"))
    return (python, "-m", "benchmarks.competitors.litserve_app"), "/health", {}


def _bentoml(ports: list[int], variant: str) -> Start:
    python = str(interpreter_of("bentoml"))
    service = "benchmarks.competitors.bentoml_app:Segmentation"
    arguments = ("-m", "bentoml", "serve", service, "--host", "127.0.0.1", "--port", str(ports[0]))
    quiet = {"BENTOML_DO_NOT_TRACK": "true", "BENTOML_HOME": str(CACHE / "bentoml")}
    return (python, *arguments), "/readyz", quiet


def _ray_serve(ports: list[int], variant: str) -> Start:
    python = str(interpreter_of("ray_serve"))
    quiet = {"RAY_USAGE_STATS_ENABLED": "0", "RAY_DEDUP_LOGS": "0"}
    return (python, "-m", "benchmarks.competitors.ray_app"), "/-/healthz", quiet


def _mlserver(ports: list[int], variant: str) -> Start:
    """MLServer's start; its settings are files in its folder."""
    folder = CACHE / "mlserver" / variant
    folder.mkdir(parents=True, exist_ok=True)
    implementation = "benchmarks.competitors.mlserver_app.Segmentation"
    names = ("http_port", "metrics_port", "grpc_port")
    settings: dict[str, object] = dict(zip(names, ports, strict=False))
    settings |= {"host": "127.0.0.1", "parallel_workers": _workers(variant)}
    settings |= {f"{name}_dir": str(folder / name) for name in ("environments", "metrics")}
    (folder / "settings.json").write_text(json.dumps(settings))
    model = {"name": MODEL, "implementation": implementation}
    (folder / "model-settings.json").write_text(json.dumps(model))
    python = interpreter_of("mlserver")
    start = (str(python.parent / "mlserver"), "start", str(folder))
    return start, f"/v2/models/{MODEL}/ready", {}


_STARTS: dict[str, Callable[[list[int], str], Start]] = {
    PROTOTYPE: _prototype,
    "litserve": _litserve,
    "bentoml": _bentoml,
    "ray_serve": _ray_serve,
    "mlserver": _mlserver,
}


def _same(answer: bytes) -> bytes:
    return answer


def _open_inference(base: str, jpeg: bytes) -> Request:
    """A request of the Open Inference Protocol in JSON, with the image as base64."""
    picture: dict[str, object] = {"name": "picture", "shape": [1], "datatype": "BYTES"}
    picture["parameters"] = {"content_type": "base64"}
    picture["data"] = [base64.b64encode(jpeg).decode()]
    body = json.dumps({"inputs": [picture]}).encode()
    return Request(f"{base}/v2/models/{MODEL}/infer", body, "application/json")


def _from_open_inference(answer: bytes) -> bytes:
    (mask,) = json.loads(answer)["outputs"][0]["data"]
    return base64.b64decode(mask)
