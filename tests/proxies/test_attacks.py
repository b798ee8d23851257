"""Web sites, rebinding names, other users and plain proxies change nothing and read nothing."""

import json
import os
import time
from collections.abc import Iterator
from typing import Any, Final

import httpx
import pytest
from playwright.sync_api import Browser, Page

from scripts.archives.archive import MODEL
from tests.proxies.attackers import (
    ADD_KEY,
    LOAD,
    TRIES,
    Try,
    as_another_user,
    reachable_by_all,
    running_site,
)
from tests.proxies.conftest import Published
from tests.proxies.servers import nginx
from tests.stack import WORKERS, Stack, free_ports
from tests.torchserve import loaded

# What responses of the product contain, and no refusal does.
SECRETS: Final = (MODEL, "segserve_", "Segserve", "ts_inference", "streamlit", "sgs_", "workers")
REFUSED: Final = {400, 401, 403, 404, 405, 421}
# As a site sends requests: to read the response, or blindly, as its forms do.
SEND: Final = """async ([method, url, body, headers, mode]) => {
    try {
        const options = {method, headers, mode, body: body || undefined, credentials: 'include'};
        const response = await fetch(url, options);
        return [response.type, response.status, await response.text()];
    } catch (error) {
        return ['error', 0, ''];
    }
}"""
SOCKET: Final = """url => new Promise(resolve => {
    const socket = new WebSocket(url, 'streamlit');
    socket.onopen = () => resolve('open');
    socket.onmessage = () => resolve('message');
    socket.onerror = () => resolve('refused');
})"""


@pytest.fixture(autouse=True, scope="module")
def unchanged(stack: Stack, published: Published) -> Iterator[None]:
    """Versions, workers, the default version, keys and readiness are the same afterwards."""

    def state() -> Any:
        versions = httpx.get(f"{stack.gateway_url}/v1/models", timeout=30).json()
        headers = {"Authorization": f"Bearer {published.admin}"}
        keys = httpx.get(f"{published.gateway_url}/v1/admin/keys", headers=headers, timeout=30)
        return (
            [(v["version"], v["default"], v["workers"]) for v in versions["models"][0]["versions"]],
            keys.json(),
            sorted(path.name for path in stack.model_store.iterdir()),
            httpx.get(f"{stack.gateway_url}/readyz", timeout=30).status_code,
        )

    while (before := state())[0] != [("1.0", True, WORKERS)]:
        time.sleep(0.2)  # the second worker is starting
    yield
    assert state() == before
    assert loaded(stack) == {"deeplabv3": ["1.0"]}


def url_of(stack: Stack, one: Try, host: str = "127.0.0.1") -> str:
    """The address of a try under a name of this machine."""
    return f"http://{host}:{stack.ports[one.service]}{one.target}"


@pytest.fixture(scope="module")
def site(browser: Browser) -> Iterator[Page]:
    """A page of another site."""
    with running_site() as port:
        page = browser.new_page()
        page.goto(f"http://evil.test:{port}/")
        yield page
        page.close()


@pytest.mark.parametrize("mode", ["cors", "no-cors"])
@pytest.mark.parametrize("one", TRIES, ids=str)
def test_a_site_reads_nothing(stack: Stack, site: Page, one: Try, mode: str) -> None:
    """Its scripts see an error, or a response without status and text."""
    kind, status, text = site.evaluate(
        SEND, [one.method, url_of(stack, one), one.body, one.headers, mode]
    )
    assert kind in ("error", "opaque")
    assert (status, text) == (0, "")


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "rebound.test", "evil.test"])
def test_a_site_opens_no_websocket(stack: Stack, site: Page, host: str) -> None:
    """Browsers would let it; the page refuses."""
    url = f"ws://{host}:{stack.ports['UI']}/_stcore/stream"
    assert site.evaluate(SOCKET, url) == "refused"


@pytest.mark.parametrize("one", [Try("UI", "GET", "/"), Try("GATEWAY", "GET", "/docs")], ids=str)
def test_a_site_frames_nothing(stack: Stack, site: Page, one: Try) -> None:
    """A visitor could be led to click on what is under the mouse."""
    site.evaluate("document.body.replaceChildren()")
    with site.expect_response(url_of(stack, one)):
        site.evaluate(
            """url => {
                const frame = document.createElement('iframe');
                frame.src = url;
                document.body.append(frame);
            }""",
            url_of(stack, one),
        )
    site.wait_for_timeout(300)  # a refused frame has no event
    assert site.frames[-1].url.startswith("chrome-error:")


@pytest.fixture(scope="module")
def rebound(browser: Browser, stack: Stack) -> Iterator[dict[str, Page]]:
    """Pages that a browser takes for the services' own: service -> page at the site's name.

    The first response is the site's: its name pointed elsewhere then.
    """
    pages = {}
    for service in {one.service for one in TRIES}:
        page = pages[service] = browser.new_page()
        url = url_of(stack, Try(service, "GET", "/first"), "rebound.test")
        page.route(
            url, lambda route: route.fulfill(body="<!doctype html>", content_type="text/html")
        )
        page.goto(url)
    yield pages
    for page in pages.values():
        page.close()


@pytest.mark.parametrize("one", TRIES, ids=str)
def test_a_rebinding_name_reads_refusals_only(
    stack: Stack, rebound: dict[str, Page], one: Try
) -> None:
    """The browser lets its scripts send and read everything."""
    page = rebound[one.service]
    kind, status, text = page.evaluate(
        SEND,
        [one.method, url_of(stack, one, "rebound.test"), one.body, one.headers, "cors"],
    )
    if one.service == "METRICS":
        assert kind == "error"  # nothing listens
        return
    assert kind == "basic"
    assert status in REFUSED
    assert not [secret for secret in SECRETS if secret in text]


def test_a_rebinding_name_opens_no_websocket(stack: Stack, rebound: dict[str, Page]) -> None:
    """Origin and Host agree then, but are not the page's."""
    url = f"ws://rebound.test:{stack.ports['UI']}/_stcore/stream"
    assert rebound["UI"].evaluate(SOCKET, url) == "refused"


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can run a program as another user")
class TestAnotherUser:
    """The unprivileged user `nobody`, on the same machine."""

    @pytest.mark.parametrize(
        "one", [one for one in TRIES if one.service in ("MANAGEMENT", "INFERENCE")], ids=str
    )
    def test_calls_are_refused(self, stack: Stack, one: Try) -> None:
        """Loopback is no secret; the tokens are."""
        answer = as_another_user(
            f"curl -s -X {one.method} -d '{one.body}' '{url_of(stack, one)}' -w ' %{{http_code}}'"
        )
        assert answer.endswith(" 400")
        assert "Token Authorization failed" in answer

    def test_keys_are_not_managed(self, stack: Stack) -> None:
        """Not even with what a local program can send."""
        url = f"{stack.gateway_url}/v1/admin/keys"
        json_type = "-H 'Content-Type: application/json'"
        answer = as_another_user(f"curl -s {json_type} -d '{ADD_KEY}' {url} -w ' %{{http_code}}'")
        assert answer.endswith(" 403")

    def test_versions_are_not_administered(self, stack: Stack) -> None:
        """The token of the gateway's user, and that of the agents, are this user's alone."""
        url = f"{stack.gateway_url}/v1/admin/models"
        assert as_another_user(f"curl -s {url} -w ' %{{http_code}}'").endswith(" 403")
        reachable_by_all(stack)
        for name in ("admin-token", "node-token", "registry.sqlite3"):
            assert (stack.data_dir / name).stat().st_size > 0
            assert as_another_user(f"cat {stack.data_dir / name}") == "", name

    def test_no_file_has_the_tokens(self, stack: Stack) -> None:
        """Neither theirs nor a log, configuration or temporary file."""
        reachable_by_all(stack)
        assert as_another_user(f"ls {stack.run_dir}") != ""
        assert as_another_user(f"cat {stack.tokens_file}; ls {stack.tokens_file.parent}") == ""
        tokens = [
            each["key"]
            for each in json.loads(stack.tokens_file.read_text()).values()
            if isinstance(each, dict)
        ]
        assert len(tokens) == 3
        patterns = " ".join(f"-e {token}" for token in tokens)
        since = int(stack.tokens_file.stat().st_mtime) - 1
        search = (
            f"find {stack.run_dir} {stack.model_store} /tmp /dev/shm /var/tmp -type f "
            f"-newermt @{since} -exec grep -lF {patterns} {{}} +"
        )
        careless = stack.run_dir / "careless"
        careless.write_text(tokens[0])
        assert set(as_another_user(search).split()) == {str(careless)}
        careless.unlink()
        assert as_another_user(search) == ""

    def test_no_process_tells_the_tokens(self, stack: Stack) -> None:
        """Command lines are public, environments and memory are not."""
        tokens = stack.tokens_file.read_text()
        processes = stack.descendants()
        assert len(processes) >= 3
        for process in processes:
            line = as_another_user(f"cat /proc/{process.pid}/cmdline")
            assert line != ""
            assert not [word for word in line.split("\0") if len(word) > 7 and word in tokens]
            assert as_another_user(f"cat /proc/{process.pid}/environ") == ""

    def test_nothing_is_written_or_ended(self, stack: Stack) -> None:
        """An archive in the store would be a program; a signal would stop the service."""
        reachable_by_all(stack)
        store = stack.model_store
        pids = " ".join(str(process.pid) for process in stack.descendants())
        as_another_user(
            f"cp /bin/sh {store}/intruder.mar; rm -rf {store}/* {stack.run_dir}/*; kill {pids}"
        )
        assert not (store / "intruder.mar").exists()
        assert stack.tokens_file.exists()
        assert all(process.is_running() for process in stack.descendants())


PATHS: Final = (
    "/v1/admin/keys",
    "//v1/admin/keys",
    "/v1//admin/keys",
    "/v1/./admin/keys",
    "/v1/x/../admin/keys",
    "/v1/admin/keys/",
    "/v1/%61dmin/keys",
    "/V1/admin/keys",
    "/v1/admin/keys?x=/healthz",
    "/healthz/../v1/admin/keys",
    "/segserve/v1/admin/keys",
)
CLAIMS: Final[dict[str, dict[str, str]]] = {
    "nothing": {},
    "local": {
        "X-Forwarded-For": "127.0.0.1",
        "X-Real-IP": "127.0.0.1",
        "Forwarded": "for=127.0.0.1",
    },
    "another path": {"X-Original-URL": "/v1/admin/keys", "X-Rewrite-URL": "/v1/admin/keys"},
    "a prefix": {"X-Forwarded-Prefix": "/v1/admin"},
    "a hop": {"Connection": "close, X-Request-Id"},
}


@pytest.fixture(scope="module")
def plain(
    stack: Stack, published: Published, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[dict[str, str]]:
    """An nginx with nothing but proxy_pass: name -> its address."""
    targets = {
        "open": stack.gateway_url,
        "page": stack.ui_url,
        "keys": published.gateway_url,
    }
    ports = dict(zip(targets, free_ports(len(targets)), strict=True))
    site = "\n".join(
        f"server {{ listen 127.0.0.1:{ports[name]}; location / {{ proxy_pass {url}; }} }}"
        for name, url in targets.items()
    )
    with nginx(tmp_path_factory.mktemp("plain"), site, ports["page"]):
        yield {name: f"http://127.0.0.1:{port}" for name, port in ports.items()}


@pytest.mark.parametrize("claim", CLAIMS)
@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("gateway", ["open", "keys"])
def test_a_plain_proxy_leads_to_no_key(
    plain: dict[str, str], gateway: str, path: str, claim: str
) -> None:
    """With and without required keys, by every path and claim."""
    headers = {"Host": "seg.example.org", **CLAIMS[claim]}
    request = {"json": json.loads(ADD_KEY), "headers": headers, "timeout": 30}
    for method in ("GET", "POST"):
        options = request if method == "POST" else {"headers": headers, "timeout": 30}
        response = httpx.request(method, plain[gateway] + path, **options)
        assert response.status_code in REFUSED
        assert "sgs_" not in response.text


@pytest.mark.parametrize("path", ["/metrics", "/v1/models", "/v2", "/v1/models/x/labels"])
def test_a_plain_proxy_publishes_nothing_that_needs_a_key(plain: dict[str, str], path: str) -> None:
    """Wherever the proxy is."""
    assert httpx.get(plain["keys"] + path, timeout=30).status_code == 401


@pytest.mark.parametrize("path", ["/_stcore/metrics", "/_stcore/agent/mcp", "//_stcore/metrics"])
def test_a_plain_proxy_shows_no_metrics_of_the_page(plain: dict[str, str], path: str) -> None:
    """Only what the page itself needs."""
    assert httpx.get(plain["page"] + path, timeout=30).status_code == 404


@pytest.mark.parametrize("service", ["MANAGEMENT", "INFERENCE"])
@pytest.mark.parametrize("target", ["/", "/models", f"/models/{MODEL}", f"/predictions/{MODEL}"])
def test_torchserve_describes_itself_at_most(stack: Stack, service: str, target: str) -> None:
    """OPTIONS needs no token; TorchServe returns its own documentation, which names no model."""
    answer = httpx.options(url_of(stack, Try(service, "OPTIONS", target)), timeout=30)
    assert "TorchServe APIs" in answer.text or answer.status_code in REFUSED
    assert MODEL not in answer.text


@pytest.mark.parametrize("target", [LOAD, f"/predictions/{MODEL}", "/models", "/api-description"])
def test_a_plain_proxy_has_no_way_to_torchserve(plain: dict[str, str], target: str) -> None:
    """TorchServe's routes are none of the gateway's."""
    for name in ("open", "keys"):
        response = httpx.post(plain[name] + target, timeout=30)
        assert response.status_code in REFUSED
