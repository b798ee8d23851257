"""Checks of the ports, and of the product if it runs."""

from collections.abc import Iterator

import httpx

from scripts.diagnostics.finding import Finding, note, ok, wrong
from scripts.launch.preflight import ports_of, why_not_usable
from scripts.launch.settings import Settings
from scripts.prediction.gateway import ALIVE, READY, refusal

ANSWER_S = 5.0


def check_services(settings: Settings) -> Iterator[Finding]:
    """Whether the gateway answers; a port in use is wrong unless the product uses it."""
    url = f"http://{settings.host}:{settings.gateway_port}"
    is_running = _is_alive(url)
    for name, host, port in ports_of(settings):
        yield check_port(name, host, port, is_running=is_running)
    yield (
        _check_gateway(url)
        if is_running
        else note("gateway", f"nothing answers at {url}: `segserve serve` starts it")
    )


def check_port(name: str, host: str, port: int, *, is_running: bool) -> Finding:
    """Check that a port is free, or in use by the running product."""
    subject, flag = f"port {port}", f"--{name.lower().replace('_', '-')}"
    problem = why_not_usable(host, port)
    if problem is None:
        return ok(subject, f"free on {host} for {flag}")
    if is_running:
        return ok(subject, f"in use on {host} by the running product, {flag}")
    return wrong(subject, f"{problem} on {host}: end what uses it, or choose another with {flag}")


def _is_alive(url: str) -> bool:
    """Whether a gateway answers there, and not some other server."""
    try:
        response = httpx.get(url + ALIVE, timeout=ANSWER_S, trust_env=False)
        return bool(response.is_success and response.json()["status"] == "ok")
    except (httpx.HTTPError, ValueError, KeyError, TypeError):
        return False


def _check_gateway(url: str) -> Finding:
    """Check that the running gateway has a model that answers."""
    try:
        response = httpx.get(url + READY, timeout=ANSWER_S, trust_env=False)
        if not response.is_success:
            return wrong("gateway", f"{refusal(response)} See `segserve versions list`.")
        facts = response.json()
    except (httpx.HTTPError, ValueError) as exc:
        return wrong("gateway", f"{url} lives, but {READY} does not answer ({exc}); see its log")
    return ok("gateway", f"{url} serves {facts['model']} {facts['version']}")
