"""Rounds of the comparison: every server must do the same work."""

import io
import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from benchmarks.comparison.rounds import BenchmarkError, Measurement, Plan, check, is_asked
from benchmarks.load.loops import Load, Request
from benchmarks.servers.systems_under_test import (
    BOUNDARY,
    PORTS,
    TORCHSERVE,
    Endpoint,
    all_servers,
    form,
)
from benchmarks.setup.models import Model
from benchmarks.setup.photographs import SIZES, photographs, usual
from benchmarks.setup.ports import free_ports
from benchmarks.setup.settings import ROOT

MASK = np.zeros((48, 64), dtype=np.uint8)


def test_the_same_mask_passes() -> None:
    """A few pixels may differ between int8 and f32."""
    other = MASK.copy()
    other[0, :5] = 15
    check("litserve", other, MASK, is_proved=True)


def test_another_mask_is_found_out() -> None:
    """The message names the server and the share."""
    other = MASK.copy()
    other[:24] = 15
    with pytest.raises(BenchmarkError, match=r"litserve gives the same class on 50\.0%"):
        check("litserve", other, MASK, is_proved=True)
    check("litserve", other, MASK, is_proved=False)  # random weights


def test_another_size_is_found_out() -> None:
    """Also with random weights."""
    with pytest.raises(BenchmarkError, match="litserve answers with a mask of"):
        check("litserve", MASK[:24], MASK, is_proved=False)


def test_the_photographs_have_the_announced_sizes() -> None:
    """JPEGs of 0.3, 1 and 12 megapixels, identical at each call."""
    made = photographs()
    assert [each.size for each in made] == list(SIZES.values())
    for photograph in made:
        with Image.open(io.BytesIO(photograph.jpeg)) as picture:
            assert (picture.format, picture.size) == ("JPEG", photograph.size)
    assert usual() == made[0]
    megapixels = [width * height / 1e6 for width, height in SIZES.values()]
    assert megapixels == pytest.approx([0.3, 1, 12], rel=0.05)


def test_the_form_carries_the_bytes_unchanged() -> None:
    """Between two boundaries, in the field of the drop-in endpoint."""
    body, content_type = form(b"jpeg")
    before, opened, rest = body.partition(b"\r\n\r\n")
    assert content_type == f"multipart/form-data; boundary={BOUNDARY}"
    assert before.startswith(f"--{BOUNDARY}\r\n".encode())
    assert b'name="file"' in before
    assert opened
    assert rest == f"jpeg\r\n--{BOUNDARY}--\r\n".encode()


def test_every_server_has_its_own_command_and_requests(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Ten servers on loopback, eleven endpoints: the product has two, one with a token."""
    monkeypatch.setattr("benchmarks.servers.systems_under_test.CACHE", tmp_path)
    monkeypatch.setattr(
        "benchmarks.servers.systems_under_test.interpreter_of", lambda name: ROOT / name / "python"
    )
    model = Model("bundled", "deeplabv3_efficientnet_lite0", ROOT / "w", tmp_path / "models")
    ports = free_ports(PORTS)
    tokens = tmp_path / "run" / f"agent-{ports[2]}" / "torchserve" / "key_file.json"
    tokens.parent.mkdir(parents=True)
    tokens.write_text('{"inference": {"key": "a key"}}')
    servers = all_servers(model, ports)
    endpoints = [endpoint for server in servers for endpoint in server.endpoints]
    assert (len(servers), len(endpoints)) == (10, 11)
    assert len({endpoint.name for endpoint in endpoints}) == 11
    for endpoint in endpoints:
        request = endpoint.request(b"jpeg")
        assert request.url.startswith("http://127.0.0.1:")
        is_torchserves = endpoint.name == TORCHSERVE
        assert request.authorization == ("Bearer a key" if is_torchserves else "")
        if "mlserver" in endpoint.name:
            assert json.loads(request.body)["inputs"][0]["data"] == ["anBlZw=="]
        else:
            assert b"jpeg" in request.body


def _asked(ms: float, *, is_newcomer: bool) -> list[tuple[str, int]]:
    """Photographs and connections of the loads on a server that takes ``ms`` alone."""
    plan = Plan(1, 1.0, 1.0, (1, 2, 4, 8), photographs(), open_seconds=1.0)
    endpoint = Endpoint("x", lambda jpeg: Request("", jpeg, ""), bytes, is_newcomer=is_newcomer)
    measured, asked = Measurement(), []
    for photograph in plan.photographs:
        for connections in plan.connections:
            if is_asked(endpoint, measured, plan, photograph, connections):
                measured.closed[photograph.name, connections] = Load(1.0, (ms,), 0)
                asked.append((photograph.name, connections))
    return asked


def test_every_server_is_measured_over_all_connections() -> None:
    """Larger photographs only where decoding is the same as ours."""
    usual_name, *larger = SIZES
    loads = [(usual_name, connections) for connections in (1, 2, 4, 8)]
    assert _asked(100.0, is_newcomer=True) == loads
    for_all = [(name, connections) for name in larger for connections in (1, 2, 4, 8)]
    assert _asked(100.0, is_newcomer=False) == loads + for_all


def test_a_slow_newcomer_is_not_asked_over_so_many_connections() -> None:
    """Only if a single response takes seconds; other servers get every load."""
    assert _asked(3000.0, is_newcomer=True) == [(usual().name, n) for n in (1, 2)]
    assert _asked(3000.0, is_newcomer=False) == _asked(100.0, is_newcomer=False)
