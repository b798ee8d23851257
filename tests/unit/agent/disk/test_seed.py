"""Seeds: archives that came with a node, and their offer to a gateway."""

import hashlib
import io
import json
import zipfile
from pathlib import Path

import pytest

from agent.disk.seed import Seed, SeedError, offer, read
from agent.gateway import GatewayError, Gateways
from tests.unit.agent.http_double import Answer, Asked, answering, closed_url, in_json


def _archive(path: Path, version: str = "1.0") -> Path:
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as file:
        manifest = {"model": {"modelName": "deeplabv3", "modelVersion": version}}
        file.writestr("MAR-INF/MANIFEST.json", json.dumps(manifest))
    path.write_bytes(content.getvalue())
    return path


@pytest.fixture
def seed(tmp_path: Path) -> Seed:
    """An archive that must be stable."""
    (found,) = read([_archive(tmp_path / "deeplabv3-1.0.mar")], first_is_stable=True)
    return found


def _offered(url: str, seed: Seed) -> str | None:
    return offer(Gateways([url], Path("none"), "a-token"), seed)


def test_seeds_have_names_and_digests_of_their_archives(tmp_path: Path) -> None:
    """Only the first one may have to be stable."""
    paths = [_archive(tmp_path / "a.mar", "1.0"), _archive(tmp_path / "b.mar", "2.0")]
    digests = [hashlib.sha256(path.read_bytes()).hexdigest() for path in paths]
    assert read(paths, first_is_stable=True) == [
        Seed(paths[0], "deeplabv3", "1.0", digests[0], True),
        Seed(paths[1], "deeplabv3", "2.0", digests[1], False),
    ]
    assert [each.is_stable for each in read(paths, first_is_stable=False)] == [False, False]


@pytest.mark.parametrize(
    "content",
    [None, b"", b"no zip", b"PK\x05\x06" + bytes(18)],
    ids=["none", "empty", "text", "zip"],
)
def test_what_is_no_archive_is_refused_at_the_start(tmp_path: Path, content: bytes | None) -> None:
    """One line names it."""
    path = tmp_path / "a.mar"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(SeedError, match=r"a\.mar is not an archive"):
        read([path], first_is_stable=False)


@pytest.mark.parametrize("manifest", ["{}", '{"model": []}', '{"model": {}}', "[]", "null", "{"])
def test_a_manifest_that_names_no_version_is_refused(tmp_path: Path, manifest: str) -> None:
    """Whatever it holds instead."""
    with zipfile.ZipFile(tmp_path / "a.mar", "w") as file:
        file.writestr("MAR-INF/MANIFEST.json", manifest)
    with pytest.raises(SeedError, match="is not an archive"):
        read([tmp_path / "a.mar"], first_is_stable=False)


def test_a_known_archive_is_not_sent(seed: Seed) -> None:
    """Its digest is enough."""
    with answering(lambda _: in_json({"needs_archive": False, "refusal": None})) as served:
        assert _offered(served.url, seed) is None
    (asked,) = served.asked
    assert (asked.method, asked.path) == ("POST", "/v1/agent/seeds")
    assert asked.headers["Authorization"] == "Bearer a-token"
    assert json.loads(asked.body) == {
        "model": "deeplabv3",
        "version": "1.0",
        "sha256": seed.sha256,
        "stable": True,
    }


def test_a_new_archive_is_sent_whole(seed: Seed) -> None:
    """The answer to the second request counts."""

    def gateway(asked: Asked) -> Answer:
        is_offer = asked.method == "POST"
        return in_json({"needs_archive": is_offer, "refusal": None if is_offer else "it is odd"})

    with answering(gateway) as served:
        assert _offered(served.url, seed) == "it is odd"
    sent = served.asked[1]
    assert (sent.method, sent.path) == ("PUT", f"/v1/agent/seeds/{seed.sha256}")
    assert sent.body == seed.path.read_bytes()
    assert (sent.query["model"], sent.query["version"], sent.query["stable"]) == (
        "deeplabv3",
        "1.0",
        "True",
    )


@pytest.mark.parametrize("status", [400, 409, 413, 422])
def test_what_a_gateway_will_never_take_is_a_refusal(seed: Seed, status: int) -> None:
    """It is not offered again each second."""
    with answering(lambda _: in_json({"detail": "It is too large."}, status)) as served:
        refusal = _offered(served.url, seed)
    assert refusal is not None
    assert refusal.endswith(f"answered {status}: It is too large.")


@pytest.mark.parametrize(
    "answer", [Answer(401, b""), Answer(404, b""), Answer(503, b""), Answer(200, b"[]")]
)
def test_what_may_be_otherwise_later_is_tried_again(seed: Seed, answer: Answer) -> None:
    """A missing token, a store that is away, a gateway of a former version."""
    with answering(lambda _: answer) as served, pytest.raises(GatewayError):
        _offered(served.url, seed)


def test_without_a_gateway_it_is_tried_again(seed: Seed) -> None:
    """It may be starting."""
    with pytest.raises(GatewayError, match="does not answer"):
        _offered(closed_url(), seed)


def test_a_seed_that_was_deleted_meanwhile_is_the_callers_to_report(seed: Seed) -> None:
    """Nothing else fails for it."""

    def gateway(_: Asked) -> Answer:
        return in_json({"needs_archive": True})

    seed.path.unlink()
    with answering(gateway) as served, pytest.raises(FileNotFoundError):
        _offered(served.url, seed)
