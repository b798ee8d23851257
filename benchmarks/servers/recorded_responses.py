"""Recorded responses of the real TorchServe to all requests of a gateway."""

import base64

import httpx

from benchmarks.load.loops import ask
from benchmarks.servers.systems_under_test import Server, authorization
from benchmarks.setup.photographs import usual
from scripts.archives.archive import DEFAULT_VERSION, MODEL

# A gateway of a former version asks the management API too.
MANAGEMENT = (
    f"/models/{MODEL}",
    f"/models/{MODEL}/all",
    f"/models/{MODEL}/{DEFAULT_VERSION}?customized=true",
)
PREDICTIONS = f"/predictions/{MODEL}/{DEFAULT_VERSION}"


def recorded_responses(server: Server) -> dict[str, dict[str, object]]:
    """Record responses: target -> status, headers, body as base64, for ``fake_torchserve``."""
    _, torchserve = server.endpoints
    management = server.command.env["SEGSERVE_SERVE_MANAGEMENT_PORT"]
    base = f"http://127.0.0.1:{management}"
    headers = authorization(server.command, "management")
    found = {
        path: httpx.get(base + path, headers=headers, timeout=30, trust_env=False)
        for path in MANAGEMENT
    }
    found[PREDICTIONS] = ask(torchserve.request(usual().jpeg))
    return {path: _answer(answer) for path, answer in found.items()}


def _answer(answer: httpx.Response) -> dict[str, object]:
    passed_on = ("content-type", "x-model", "x-model-version", "x-class-pixels", "server-timing")
    headers = {name: answer.headers[name] for name in passed_on if name in answer.headers}
    body = base64.b64encode(answer.content).decode()
    return {"status": answer.status_code, "headers": headers, "body": body}
