"""The scaling benchmark, with a fake TorchServe that replays recorded responses."""

import base64
import json
import sys
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from benchmarks.scaling import stages, table
from benchmarks.servers.server_process import Command, ServerError, running_server
from benchmarks.setup.photographs import of_megapixels
from benchmarks.setup.ports import free_ports
from benchmarks.setup.settings import environment

MASK = bytes(range(256)) * 300


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a running fake."""
    answers = {
        "/models/m?customized=true": {"status": 200, "headers": {}, "body": ""},
        "/predictions/m/1.0": {
            "status": 200,
            "headers": {"content-type": "image/png", "x-model": "m"},
            "body": base64.b64encode(MASK).decode(),
        },
    }
    file = tmp_path_factory.mktemp("instant") / "answers.json"
    file.write_text(json.dumps(answers))
    port = free_ports(1)[0]
    url = f"http://127.0.0.1:{port}"
    command = [sys.executable, "-m", "benchmarks.servers.fake_torchserve", str(port), str(file)]
    ready = f"{url}/models/m?customized=true"
    with running_server(Command("instant-test", command, environment(), ready)) as process:
        assert process.startup_s < 20
        assert process.rss_mb() > 5
        yield url


def test_a_request_gets_what_was_recorded(address: str) -> None:
    """Status, headers and body, over a persistent connection."""
    with httpx.Client() as client:
        for _ in range(3):
            answer = client.post(f"{address}/predictions/m/1.0", content=MASK)
            assert answer.status_code == 200
            assert answer.headers["x-model"] == "m"
            assert answer.content == MASK


def test_what_was_not_recorded_is_not_found(address: str) -> None:
    """Another version, or another query."""
    assert httpx.get(f"{address}/models/m").status_code == 404


def test_a_server_that_ends_is_an_error_with_its_last_words() -> None:
    """Reported at once, with the end of its log."""
    command = [sys.executable, "-c", "print('no model here')"]
    unused = f"http://127.0.0.1:{free_ports(1)[0]}/"
    with (
        pytest.raises(ServerError, match="dies-at-once ended: no model here"),
        running_server(Command("dies-at-once", command, environment(), unused)),
    ):
        pytest.fail("it never answered")


def test_the_table_has_a_column_for_each_figure(tmp_path: Path) -> None:
    """The table is Markdown."""
    text = table("Memory", [{"connections": 1, "mb": 900}, {"connections": 4, "mb": 950}])
    assert text.splitlines() == [
        "## Memory",
        "| connections | mb |",
        "| --- | --- |",
        "| 1 | 900 |",
        "| 4 | 950 |",
    ]


@pytest.mark.parametrize("megapixels", [0.1, 3, 12])
def test_a_photograph_of_any_size(megapixels: float) -> None:
    """The aspect is 4:3."""
    width, height = of_megapixels(megapixels).size
    assert width * height / 1e6 == pytest.approx(megapixels, rel=0.01)
    assert width / height == pytest.approx(4 / 3, rel=0.01)


def test_stages_are_medians_over_the_answers() -> None:
    """Each stage has its own median."""
    headers = [f"decode;dur={ms}, infer;dur={20 - ms}, total;dur=25" for ms in (1.5, 3.0, 9.0)]
    assert stages(headers) == {"decode": 3.0, "infer": 17.0, "total": 25.0}
