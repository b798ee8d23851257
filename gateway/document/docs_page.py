"""GET /docs: Swagger UI for the OpenAPI document, without requests to other hosts."""

import base64
import hashlib
import re
from pathlib import Path

import fastapi_offline
from fastapi import APIRouter, FastAPI
from fastapi.openapi.docs import get_swagger_ui_html
from starlette.responses import HTMLResponse
from starlette.staticfiles import StaticFiles

from gateway.http.response_headers import CONTENT_SECURITY_POLICY

ASSETS = "/docs/assets"


def _policy(html: str) -> str:
    """Return a content security policy for this origin and the page's one inline script."""
    (script,) = re.findall("<script>(.*?)</script>", html, re.DOTALL)
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    return (
        f"default-src 'none'; script-src 'self' 'sha256-{digest}'; connect-src 'self'; "
        "img-src 'self' data: blob:; style-src 'self' 'unsafe-inline'; "
        "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    )


def add_documentation(app: FastAPI) -> None:
    """Add the page and its static files."""
    # FastAPI's own page loads these files from a content delivery network and stays empty where
    # none can be reached; the package fastapi_offline contains them.
    router = APIRouter()
    assets = ASSETS.removeprefix("/")
    page = get_swagger_ui_html(
        # Relative to the page, which may be behind a path prefix.
        openapi_url=str(app.openapi_url).removeprefix("/"),
        title=app.title,
        swagger_js_url=f"{assets}/swagger-ui-bundle.js",
        swagger_css_url=f"{assets}/swagger-ui.css",
        swagger_favicon_url=f"{assets}/favicon.png",
    )
    page.headers[CONTENT_SECURITY_POLICY] = _policy(str(page.body, "utf-8"))

    @router.api_route("/docs", methods=["GET", "HEAD"], include_in_schema=False)
    async def swagger_ui() -> HTMLResponse:
        return page

    files = Path(fastapi_offline.__file__).parent / "static"
    app.mount(ASSETS, StaticFiles(directory=files))
    app.include_router(router)
