"""Every failure is a problem document of one schema."""

import pytest

from gateway import errors
from gateway.errors import GatewayError
from gateway.http.problems import Problem, render


def _all(kind: type[GatewayError]) -> list[type[GatewayError]]:
    return [deeper for below in kind.__subclasses__() for deeper in [below, *_all(below)]]


@pytest.mark.parametrize("kind", _all(GatewayError))
def test_a_failure_is_rendered_whole(kind: type[GatewayError]) -> None:
    """A problem document has every member of RFC 9457 and of our extension, and the headers."""
    response = render(kind("Do this.", {"X-Model": "m"}), "an-id")
    problem = Problem.model_validate_json(bytes(response.body))
    assert (problem.status, problem.code) == (kind.status, kind.code)
    assert (problem.detail, problem.request_id) == ("Do this.", "an-id")
    assert response.status_code == kind.status
    assert response.headers["Content-Type"] == "application/problem+json"
    assert response.headers["X-Model"] == "m"


@pytest.mark.parametrize("kind", [k for k in _all(GatewayError) if k.status == 503])
def test_every_503_says_when_to_come_again(kind: type[GatewayError]) -> None:
    """Retry-After of a 503 is a positive number of seconds."""
    assert int(render(kind("x"), "an-id").headers["Retry-After"]) > 0


def test_the_tree_at_the_top_of_the_file_is_complete() -> None:
    """The tree in the module's docstring names every error with its status and code."""
    drawing = errors.__doc__ or ""
    for kind in _all(GatewayError):
        if kind.__module__ != errors.__name__:  # a special case of one of these
            continue
        assert kind.__name__ in drawing
        assert f"{kind.status} {kind.code}" in drawing
