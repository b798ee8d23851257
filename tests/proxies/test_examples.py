"""The proxies of deploy/proxy/ publish the API below a prefix and the page, over TLS."""

import base64
import io
from pathlib import Path

import httpx
import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import Browser, expect

from tests.browser import screen
from tests.e2e.gateways import second_gateway
from tests.proxies.conftest import STARTED, Published
from tests.proxies.servers import NAME, Proxy
from tests.stack import ROOT, Stack

PHOTOGRAPH = (ROOT / "ui" / "examples" / "cat.jpg").read_bytes()
API = "/segserve"


def sent(
    client: httpx.Client, headers: dict[str, str] | None = None, image: bytes = PHOTOGRAPH
) -> httpx.Response:
    """The response to an image."""
    return client.post(f"{API}/segmentation", files={"file": ("x", image)}, headers=headers)


def bearer(key: str) -> dict[str, str]:
    """The header with a key."""
    return {"Authorization": f"Bearer {key}"}


def test_plain_http_leads_to_tls(proxy: Proxy) -> None:
    """No key crosses the network in the clear by the redirect."""
    url = f"http://127.0.0.1:{proxy.http_port}{API}/docs"
    response = httpx.get(url, headers={"Host": NAME}, trust_env=False)
    assert response.status_code in (301, 308)
    assert response.headers["Location"].startswith(f"https://{NAME}")


def test_images_small_and_large_are_segmented(proxy: Proxy, published: Published) -> None:
    """The second has more bytes than nginx passes on unasked."""
    noise = np.random.default_rng(0).integers(0, 255, (1200, 1200, 3), np.uint8)
    large = io.BytesIO()
    Image.fromarray(noise).save(large, "PNG")
    assert len(large.getvalue()) > 4_000_000
    with proxy.client() as client:
        for image in (PHOTOGRAPH, large.getvalue()):
            response = sent(client, bearer(published.user), image)
            assert response.status_code == 200
            mask = Image.open(io.BytesIO(response.content))
            assert mask.size == Image.open(io.BytesIO(image)).size


def test_the_gateway_itself_says_what_is_too_large(proxy: Proxy, published: Published) -> None:
    """A problem document with the limit, not a page of the proxy."""
    with proxy.client() as client:
        response = sent(client, bearer(published.user), bytes(40 * 2**20))
    assert (response.status_code, response.json()["code"]) == (413, "image_too_large")


def test_the_document_names_the_prefix(proxy: Proxy) -> None:
    """Clients that are generated from it send their requests there."""
    with proxy.client() as client:
        document = client.get(f"{API}/openapi.json").json()
        assert document["servers"] == [{"url": API}]
        assert client.get(API).headers["Location"].endswith(f"{API}/docs")


def test_docs_work_in_a_browser(proxy: Proxy, browser: Browser) -> None:
    """With all of its files, from below the prefix."""
    page = browser.new_page(ignore_https_errors=True)
    failed: list[str] = []
    page.on("response", lambda response: failed.append(response.url) if not response.ok else None)
    page.goto(f"{proxy.origin}{API}/docs")
    expect(page.get_by_role("heading", name="DeepLabV3 image segmentation")).to_be_visible()
    page.close()
    assert [url for url in failed if "favicon" not in url] == []


@pytest.mark.parametrize("path", ["/v1/models", "/v1/admin/keys", "/metrics"])
def test_without_a_key_the_api_is_closed(proxy: Proxy, path: str) -> None:
    """Headers that a client adds do not make it local."""
    local = {"X-Forwarded-For": "127.0.0.1", "X-Real-IP": "127.0.0.1", "X-Forwarded-Prefix": "/x"}
    with proxy.client() as client:
        assert client.get(API + path).status_code == 401
        assert client.get(API + path, headers=local).status_code == 401


def test_administration_is_for_admins(proxy: Proxy, published: Published) -> None:
    """The roles hold behind the proxy."""
    with proxy.client() as client:
        for path in ("/v1/admin/keys", "/metrics"):
            assert client.get(API + path, headers=bearer(published.user)).status_code == 403
            assert client.get(API + path, headers=bearer(published.admin)).status_code == 200


def test_the_page_segments_through_the_proxy(proxy: Proxy, browser: Browser) -> None:
    """Its WebSocket, an upload and the result."""
    page = browser.new_page(ignore_https_errors=True, viewport={"width": 1280, "height": 1400})
    page.goto(proxy.origin)
    page.get_by_role("button", name="Get segmentation map").wait_for(timeout=30_000)
    screen.upload(page, ROOT / "ui" / "examples" / "cat.jpg")
    screen.press(page, "Get segmentation map")
    screen.wait_for_result(page)
    expect(page.locator("ul.legend li").first).to_contain_text("cat")
    page.close()


@pytest.mark.parametrize(
    "origin", ["https://evil.test", "https://seg.example.org.evil.test", "null"]
)
def test_the_pages_websocket_is_its_own(proxy: Proxy, origin: str) -> None:
    """Pages of other sites are refused."""
    headers = {
        "Connection": "Upgrade",
        "Upgrade": "websocket",
        "Sec-WebSocket-Version": "13",
        "Sec-WebSocket-Key": base64.b64encode(bytes(16)).decode(),
    }
    statuses = []
    for sender in (proxy.origin, origin):
        sent_by = {**headers, "Origin": sender}
        with (
            proxy.client() as client,
            client.stream("GET", "/_stcore/stream", headers=sent_by) as response,
        ):
            statuses.append(response.status_code)
    assert statuses == [101, 403]


@pytest.mark.parametrize("name", STARTED)
def test_rates_count_the_clients_of_the_proxy(stack: Stack, tmp_path: Path, name: str) -> None:
    """Two addresses have a rate each, which no header prolongs."""
    settings = {
        "AUTH": "off",
        "HOSTS": NAME,
        "RATE_LIMIT": "2/minute",
        "TRUSTED_PROXIES": "127.0.0.1",
    }
    with (
        second_gateway(stack, **settings) as gateway_url,
        STARTED[name](tmp_path, gateway_url, stack.ui_url) as proxy,
        proxy.client("127.0.0.1") as first,
        proxy.client("127.0.0.2") as second,
    ):
        statuses = [sent(first).status_code, sent(first).status_code]
        statuses += [sent(first, {"X-Forwarded-For": "192.0.2.9"}).status_code]
        statuses += [sent(second).status_code]
        administration = first.get(f"{API}/v1/admin/keys").status_code
    assert statuses == [200, 200, 429, 200]
    assert administration == 403
