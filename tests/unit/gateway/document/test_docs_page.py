"""The page at /docs and its files."""

import re

import httpx
import pytest

pytestmark = pytest.mark.anyio


async def test_documentation_names_no_other_host(gateway: httpx.AsyncClient) -> None:
    """The page loads its files from the gateway only, and they exist."""
    page = await gateway.get("/docs")
    assert page.status_code == 200
    loaded = re.findall(r'(?:src|href)="([^"]+)"', page.text)
    assert len(loaded) >= 3
    for path in loaded:
        assert path.startswith("docs/assets/")
        assert (await gateway.get(f"/{path}")).status_code == 200


@pytest.mark.parametrize("path", ["missing.js", "../../app.py", "%2e%2e/%2e%2e/core.py", ""])
async def test_unknown_file_is_a_problem_like_any_other(
    gateway: httpx.AsyncClient, path: str
) -> None:
    """404 as a problem document; nothing outside the folder is served."""
    response = await gateway.get(f"/docs/assets/{path}")
    assert response.status_code == 404
    assert response.json()["code"] == "not_found"


async def test_the_documentation_is_served(gateway: httpx.AsyncClient) -> None:
    """The page and the OpenAPI document are available."""
    page, document = await gateway.get("/docs"), await gateway.get("/openapi.json")
    assert (page.status_code, document.status_code) == (200, 200)
    assert "DeepLabV3 image segmentation" in page.text
    assert document.json()["info"]["title"] == "DeepLabV3 image segmentation"
