"""The table of route policies."""

import pytest
from fastapi.routing import iter_route_contexts

from gateway.route_policy import POLICIES, Policy, is_counted, policy_of
from tests.unit.gateway.doubles import TorchServeDouble, application


@pytest.mark.parametrize(
    ("method", "path", "expected"),
    [
        ("POST", "/segmentation", True),
        ("POST", "/v1/segment", True),
        ("POST", "/v2/models/deeplabv3/infer", True),
        ("POST", "/v1/label-studio/predict", True),
        ("POST", "/nope", True),
        ("POST", "/v1/label-studio/setup", False),
        ("POST", "/v1/admin/keys", False),
        ("POST", "/v1/agent/heartbeat", False),
        ("GET", "/v1/models", False),
    ],
)
def test_only_inference_is_counted(method: str, path: str, expected: bool) -> None:
    """Only POST requests that run the model count against quotas."""
    assert is_counted(method, path) == expected


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("/healthz", Policy(public=True, probe=True)),
        ("/docs/assets/swagger-ui.css", Policy(public=True)),
        ("/metrics", Policy(admin=True, probe=True)),
        ("/v1/admin/keys/0f3a", Policy(admin=True, administration=True, counted=False)),
        ("/v1/agent/heartbeat", Policy(public=True, counted=False, probe=True)),
        ("/v1/models", Policy()),
        ("/healthz/more", Policy()),
        ("/nope", Policy()),
    ],
)
def test_a_path_has_one_policy(path: str, expected: Policy) -> None:
    """Exact paths come before prefixes; a path that is not in the table needs a key."""
    assert policy_of(path) == expected


def test_every_entry_of_the_table_is_a_route() -> None:
    """No entry is left over from a route that was renamed or removed."""
    app = application(TorchServeDouble())
    routes = [str(each.path) for each in iter_route_contexts(app.routes)]
    paths = [*routes, "/docs", "/docs/assets/", "/openapi.json"]
    for entry in POLICIES:
        prefix = entry.removesuffix("*").removesuffix("/")
        assert entry in paths or any(path.startswith(f"{prefix}/") for path in paths), entry
