"""HEAD on every GET route, as health checks and `curl -I` send it."""

from collections.abc import Iterator

import httpx
import pytest

from tests.unit.gateway.doubles import TorchServeDouble, application, serving
from tests.unit.gateway.http.test_server import parsed, talk

pytestmark = [pytest.mark.anyio, pytest.mark.slow]

PATHS = [
    each.format(model="deeplabv3", version="1.0")
    for each, operations in application(TorchServeDouble()).openapi()["paths"].items()
    if "get" in operations
]
OTHER_PATHS = ["/docs", "/openapi.json", "/docs/assets/swagger-ui.css", "/nope"]
# Their values differ from request to request, in length too.
OF_A_REQUEST = {"x-request-id", "date"}


@pytest.fixture(scope="module")
def port() -> Iterator[int]:
    """The port of a gateway."""
    with serving(application(TorchServeDouble())) as bound_port:
        yield bound_port


def test_the_routes_are_listed() -> None:
    """The list has the routes; an empty list would pass every test below."""
    assert {"/healthz", "/readyz", "/metrics", "/v2/health/live", "/v1/models"} <= set(PATHS)


@pytest.mark.parametrize("path", [*PATHS, *OTHER_PATHS])
def test_head_has_the_status_and_the_headers_of_get(port: int, path: str) -> None:
    """And no body, so that the next response on the connection is read as one."""
    lines = f" {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n".encode()
    head, get = parsed(talk(port, b"HEAD" + lines)), parsed(talk(port, b"GET" + lines))
    varies = OF_A_REQUEST | ({"content-length"} if path == "/metrics" else set())
    assert head[0] == get[0]
    assert [each for each in head[1].items() if each[0] not in varies] == [
        each for each in get[1].items() if each[0] not in varies
    ]
    assert (head[2], get[2] != b"") == (b"", True)


@pytest.mark.parametrize("path", ["/segmentation", "/v1/segment", "/v1/hf/deeplabv3"])
async def test_head_on_another_route_is_a_405(gateway: httpx.AsyncClient, path: str) -> None:
    """HEAD belongs to GET alone."""
    response = await gateway.head(path)
    assert (response.status_code, response.headers["Allow"]) == (405, "POST")


def test_head_is_no_operation_of_its_own() -> None:
    """The OpenAPI document has each operation once."""
    operations = application(TorchServeDouble()).openapi()["paths"].values()
    methods = {method for each in operations for method in each}
    assert methods == {"get", "post", "put", "patch", "delete"}
