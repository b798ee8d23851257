"""The gateway's answers, as far as the agent takes them."""

import copy
import json
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.messages import (
    Desired,
    MessageError,
    Report,
    VersionReport,
    WantedModel,
    WantedVersion,
    parse_desired,
)

SHA = "ab" * 32
RAW: dict[str, Any] = {
    "generation": 3,
    "models": {
        "deeplabv3": {
            "default": "1.0",
            "versions": {
                "1.0": {"sha256": SHA, "size": 36_000_000, "workers": 2},
                "1.1": {"sha256": SHA, "size": 1, "workers": None},
            },
        },
        "empty": {"default": None, "versions": {}},
    },
}
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
)


def _with(value: object, *path: str) -> dict[str, Any]:
    """RAW with another value at a place."""
    raw = copy.deepcopy(RAW)
    place = raw
    for name in path[:-1]:
        place = place[name]
    place[path[-1]] = value
    return raw


def test_a_desired_state_is_read() -> None:
    """Every field; what comes of a newer gateway besides is left out."""
    versions = {"1.0": WantedVersion(SHA, 36_000_000, 2), "1.1": WantedVersion(SHA, 1)}
    expected = Desired(3, {"deeplabv3": WantedModel("1.0", versions), "empty": WantedModel()})
    assert parse_desired(RAW) == parse_desired(_with("more", "new")) == expected
    assert parse_desired(json.loads(json.dumps(expected.to_json()))) == expected


VERSION = ("models", "deeplabv3", "versions", "1.0")


@pytest.mark.parametrize(
    "raw",
    [
        None,
        [],
        "x",
        {},
        _with("three", "generation"),
        _with(float("inf"), "generation"),
        _with([], "models"),
        _with({"a/b": {"default": None, "versions": {}}}, "models"),
        _with({"..": {"default": None, "versions": {}}}, "models"),
        _with("../x", "models", "deeplabv3", "default"),
        _with({"1/0": RAW["models"]["deeplabv3"]["versions"]["1.0"]}, *VERSION[:3]),
        _with(None, *VERSION[:3]),
        _with(None, *VERSION),
        _with("AB" * 32, *VERSION, "sha256"),
        _with("ab" * 31, *VERSION, "sha256"),
        _with(7, *VERSION, "sha256"),
        _with(-1, *VERSION, "size"),
        _with("36", *VERSION, "size"),
        _with(float("nan"), *VERSION, "size"),
        _with(-1, *VERSION, "workers"),
        _with("two", *VERSION, "workers"),
    ],
)
def test_what_is_no_desired_state_is_refused(raw: Any) -> None:
    """In one line; a name must not lead out of the folder of archives."""
    with pytest.raises(MessageError, match=r"^no desired state: .+$"):
        parse_desired(raw)


@given(JSON)
def test_any_json_is_a_desired_state_or_refused(raw: Any) -> None:
    """Nothing else happens."""
    with suppress(MessageError):
        assert isinstance(parse_desired(raw), Desired)


def test_a_report_is_json() -> None:
    """Tables and texts, whatever is missing."""
    version = VersionReport(SHA, "failed", reason="no memory")
    report = Report("a", "http://a:8080", None, 3, None, None, {"deeplabv3": {"1.0": version}})
    assert json.loads(json.dumps(report.to_json()))["models"]["deeplabv3"]["1.0"] == {
        "sha256": SHA,
        "state": "failed",
        "ready": 0,
        "wanted": 0,
        "reason": "no memory",
        "loaded_at": None,
    }
