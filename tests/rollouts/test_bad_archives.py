"""Archives and nodes that fail: one clear error, and what was served is served."""

import resource
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import httpx
import pytest

from tests.rollouts.bad_archives import REFUSED, raising
from tests.rollouts.changes import PATH
from tests.rollouts.colours import Colours
from tests.rollouts.conftest import serving
from tests.rollouts.product import AGENT, Product, until
from tests.rollouts.rollout import FIRST, Rollout

ROOM = 10_000_000  # bytes, of the largest file that fits on a full disk


@pytest.fixture(scope="module")
def rollout(colours: Colours, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Rollout]:
    """A product with SQLite that looks at the free memory."""
    product = Product(tmp_path_factory.mktemp("bad"), colours.archive(FIRST, 0))
    product.settings["SEGSERVE_AGENT_CHECK_MEMORY"] = "true"
    with serving(product, colours) as rollout:
        yield rollout


def report(rollout: Rollout, version: str) -> dict[str, object]:
    """What the node says about a version; empty if nothing."""
    with rollout.product.admin() as admin:
        nodes = admin.get("/v1/admin/nodes").json()["items"]
    found: list[dict[str, object]] = [
        each for node in nodes for each in node["versions"] if each["version"] == version
    ]
    return found[0] if found else {}


def reason(rollout: Rollout, version: str) -> str:
    """Why a node has not got a version, once it says so."""

    def failed() -> str:
        return str(report(rollout, version).get("reason") or "")

    return until(failed, f"{version} fails", every_s=0.1)


@pytest.mark.parametrize("what", REFUSED)
def test_what_is_no_archive_is_refused(rollout: Rollout, what: str) -> None:
    """With one line; nothing of it is kept, and no answer is lost."""
    make, words = REFUSED[what]
    good = rollout.colours.archive("4.0", 1)
    bad = make(good, good.with_name("bad.mar"))
    answer = rollout.send(bad, "4.0")
    assert answer.status_code == httpx.codes.UNPROCESSABLE_ENTITY
    problem = answer.json()
    assert problem["code"] == "invalid_archive"
    assert words in problem["detail"]
    assert "\n" not in problem["detail"]
    rollout.converge(what, undisturbed=True)


def test_other_bytes_under_a_name_are_refused(rollout: Rollout) -> None:
    """A version keeps its bytes."""
    other = rollout.colours.archive(FIRST, 1)
    answer = rollout.send(other, FIRST)
    assert (answer.status_code, answer.json()["code"]) == (httpx.codes.CONFLICT, "conflict")
    assert "other bytes" in answer.json()["detail"]
    rollout.converge("other bytes", undisturbed=True)


def test_a_handler_that_raises_is_reported_and_can_be_removed(rollout: Rollout) -> None:
    """The node names the error; what was served is not touched."""
    good = rollout.colours.archive("4.1", 1)
    rollout.add(raising(good, good.with_name("raising.mar")), "4.1")
    assert "worker" in reason(rollout, "4.1").lower()
    assert "\n" not in reason(rollout, "4.1")
    assert report(rollout, "4.1")["ready"] == 0
    rollout.retire("4.1")
    rollout.converge("a handler that raises", undisturbed=True)


def test_too_little_memory_is_reported_before_workers_start(rollout: Rollout) -> None:
    """And the version keeps the workers that it has."""
    rollout.add(rollout.colours.archive("4.2", 1), "4.2")
    rollout.converge("4.2", undisturbed=True)
    with rollout.product.admin() as admin:
        path = f"{PATH}/versions/4.2/placement"
        assert admin.put(path, json={"workers": 1000}).is_success
        assert "MB of memory" in reason(rollout, "4.2")
        assert report(rollout, "4.2")["ready"] == 1
        assert admin.put(path, json={"workers": 1}).is_success
    rollout.converge("too little memory", undisturbed=True)
    rollout.retire("4.2")
    rollout.converge("4.2 is gone", undisturbed=True)


def test_a_full_disk_is_reported_and_goes_on_when_there_is_room(rollout: Rollout) -> None:
    """Nothing of the archive is left; the node fetches it once the disk has room."""
    with full_disk(rollout.product):
        rollout.add(rollout.colours.archive("4.3", 1, padding=3 * ROOM), "4.3")
        assert "cannot be written" in reason(rollout, "4.3")
        there = (rollout.product.agent_dir / "archives").iterdir()
        assert [path.name for path in there if "4.3" in path.name] == []
    rollout.converge("a full disk", undisturbed=True)
    rollout.retire("4.3")
    rollout.converge("4.3 is gone", undisturbed=True)


def test_an_archive_that_was_damaged_in_the_store_is_not_loaded(rollout: Rollout) -> None:
    """The node says so; the same archive, added again, repairs it."""
    archive = rollout.colours.archive("4.4", 1)
    rollout.add(archive, "4.4", workers=0)
    rollout.converge("4.4 is kept", undisturbed=True)
    stored = rollout.product.data_dir / "archives" / f"{rollout.ledger.versions['4.4'][0]}.mar"
    content = bytearray(stored.read_bytes())
    content[len(content) // 2] ^= 1
    stored.write_bytes(content)
    rollout.place("4.4", 1)
    assert "gateway" in reason(rollout, "4.4")
    assert rollout.send(archive, "4.4", workers=1).status_code == httpx.codes.OK
    rollout.converge("a damaged archive", undisturbed=True)
    rollout.retire("4.4")
    rollout.converge("4.4 is gone", undisturbed=True)


def test_of_two_admins_at_once_one_is_told(rollout: Rollout) -> None:
    """Both change what they have read: the first change holds, the second is refused."""
    with rollout.product.admin() as admin, ThreadPoolExecutor(2) as pool:
        etag = admin.get(PATH).headers["ETag"]

        def change(alias: str) -> httpx.Response:
            path, body = f"{PATH}/aliases/{alias}", {"version": FIRST, "why": alias}
            return admin.put(path, json=body, headers={"If-Match": etag})

        answers = dict(zip(("one", "two"), pool.map(change, ("one", "two")), strict=True))
    won = [alias for alias, answer in answers.items() if answer.is_success]
    lost = [answer for answer in answers.values() if not answer.is_success]
    assert [len(won), len(lost)] == [1, 1]
    assert (lost[0].status_code, lost[0].json()["code"]) == (412, "precondition_failed")
    rollout.ledger.note(answers[won[0]], won[0])
    rollout.converge("two admins", undisturbed=True)


@contextmanager
def full_disk(product: Product) -> Iterator[None]:
    """Let the agent write no large file while the block runs."""
    agent = product.processes[AGENT].pid
    soft, hard = resource.prlimit(agent, resource.RLIMIT_FSIZE)
    resource.prlimit(agent, resource.RLIMIT_FSIZE, (ROOM, hard))
    try:
        yield
    finally:
        resource.prlimit(agent, resource.RLIMIT_FSIZE, (soft, hard))
