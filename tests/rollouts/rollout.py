"""A product that lives through everything, and a client that segments meanwhile."""

import time
from typing import Final

import httpx

from tests.rollouts.changes import PATH, Changes
from tests.rollouts.colours import Colours
from tests.rollouts.points import ADD, CANARY, MOMENTS, PROMOTE, RETIRE, SCALE, SLOW, Change, Point
from tests.rollouts.product import AGENT, Product, until
from tests.rollouts.segmenting import BROKEN, Answer, Segmenting

CONVERGES_WITHIN_S: Final = 20.0
FIRST: Final = "1.0"
_LARGE: Final = 30_000_000  # bytes, of an archive that takes a while
_UNAVAILABLE, _NOT_FOUND = 503, 404
_UNAVAILABLE_CODES = ("model_unavailable", "overloaded")


class Rollout(Changes):
    """One product with its ledger; ``took`` says how long each convergence was, in seconds."""

    def __init__(self, product: Product, colours: Colours, segmenting: Segmenting) -> None:
        super().__init__(product)
        self.colours, self.segmenting = colours, segmenting
        self.took: dict[str, float] = {}
        self.number = 0
        self._answered_before = {FIRST}

    def begin(self) -> None:
        """Read what the first start has made, and wait until it serves."""
        ledger = self.ledger
        with self.product.admin() as admin:
            until(lambda: admin.get(PATH).is_success, "the seed", every_s=0.1)
            until(lambda: "stable" in admin.get(PATH).json()["aliases"], "stable", every_s=0.1)
            ledger.note(admin.get(PATH), "the first version")
            ledger.added(admin.get(f"{PATH}/versions/{FIRST}").json(), network=0, workers=1)
            keys = admin.get("/v1/admin/keys").json()["keys"]
        del ledger.placements[FIRST]
        ledger.keys = {each["id"]: self.product.admin_key for each in keys}
        self.converge("the first start")

    def kill(self, point: Point) -> None:
        """Change something, kill at the moment, start again, and wait for convergence."""
        change = self._make(point)
        moment = MOMENTS[point.moment]
        until(lambda: moment(self.product, change), point.name)
        began = time.monotonic()
        killed = self.product.kill(*point.victims)
        assert killed, "nothing ran"
        self.product.start()
        self.converge(point.name, began)
        assert not [each for each in killed if each.is_running()]

    def converge(self, name: str, began: float | None = None, *, undisturbed: bool = False) -> None:
        """Wait until everything is as it was acknowledged; judge all answers meanwhile.

        began: when it was disturbed; now, if it is not given. undisturbed: whether stable must
        have answered throughout.
        """
        self.segmenting.other = self.other
        began = time.monotonic() if began is None else began
        while differences := self.ledger.differences(self.product):
            if time.monotonic() - began > CONVERGES_WITHIN_S:
                raise AssertionError(f"{name}: not after {CONVERGES_WITHIN_S:g} s: {differences}")
            self._assert_runs()
            time.sleep(0.05)  # polling other processes
        converged = time.monotonic()
        self.took[name] = converged - began
        self.segmenting.wait_for_answers()
        self._judge(name, converged, undisturbed=undisturbed)
        self._answered_before = self._answering()

    def next_version(self) -> str:
        """The name of a version that never was."""
        self.number += 1
        return f"2.{self.number}"

    def _make(self, point: Point) -> Change:
        """Make a change; a new key sends the images from then on."""
        self.segmenting.key = self.make_key(f"key {self.number}")
        if point.change == ADD:
            if self.other:
                self.retire(self.other)
            version, workers = self.next_version(), 1
            size = _LARGE if point.moment in SLOW else 0
            archive = self.colours.archive(version, self.next_network, size)
            begins = self._log_length()
            self.add(archive, version)
        else:
            version = self._there()
            begins = self._log_length()
            workers = self._change_other(point.change, version)
        self.segmenting.other = version
        return Change(version, self.ledger.versions[version][0], begins, workers)

    def _there(self) -> str:
        """The version beside the stable one, which is there already, or is now."""
        if not self.other:
            version = self.next_version()
            self.add(self.colours.archive(version, self.next_network), version)
            self.converge(f"{version} is added")
        return self.other

    def _change_other(self, kind: str, version: str) -> int:
        """Change the other version; returns the workers that it has then."""
        workers = self.ledger.placements.get(version, 1)
        if kind == PROMOTE:
            self.promote(version)
        elif kind == RETIRE:
            self.retire(version)
        elif kind == SCALE:
            workers = 3 - workers  # 1 or 2
            self.place(version, workers)
        else:
            self.try_canary(version)
        return workers

    def _log_length(self) -> int:
        return self.product.log(AGENT).stat().st_size

    def _assert_runs(self) -> None:
        for name, process in self.product.processes.items():
            tail = self.product.log(name).read_text()[-2000:]
            assert process.poll() is None, f"{name} ended by itself: {tail}"

    # Answers

    def _judge(self, name: str, converged: float, *, undisturbed: bool) -> None:
        """Assert that every answer is by the version that it names, and that one is allowed."""
        answers = self.segmenting.taken()
        wrong = [each for each in answers if self._is_wrong(each)]
        assert wrong == [], (name, wrong[:3])
        after = [each for each in answers if each.began > converged]
        must = [each for each in answers if not each.asked] if undisturbed else after
        failed = [each for each in must if each.status != httpx.codes.OK]
        assert failed == [], (name, failed[:3])

    def _is_wrong(self, answer: Answer) -> bool:
        if answer.status == BROKEN:
            # The gateway must have been away meanwhile.
            return answer.ended < self.product.down_at or answer.began > self.product.up_at
        if answer.status == _UNAVAILABLE:
            # TorchServe says the same of a full queue and of a worker that was killed.
            return not any(f'"{code}"' in answer.text for code in _UNAVAILABLE_CODES)
        if answer.status == _NOT_FOUND:
            return not answer.asked
        if answer.status != httpx.codes.OK:
            return True
        return (
            answer.version not in self._allowed(answer.asked)
            or answer.network != self.ledger.networks[answer.version]
        )

    def _allowed(self, asked: str) -> set[str]:
        """The versions that may answer: before the change, and after it."""
        if asked:
            return {asked}
        return self._answered_before | self._answering()

    def _answering(self) -> set[str]:
        """The versions that answer clients who name none."""
        canary = self.ledger.policy["aliases"].get(CANARY)
        return {self.ledger.stable} | ({canary} if canary else set())
