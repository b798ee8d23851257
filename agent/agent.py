"""READ THIS FIRST: once a second look, report, hear what should be, and take the next step."""

import threading
import time
from contextlib import suppress

from agent.disk.archives import Archives
from agent.disk.desired import Kept
from agent.disk.offers import Offers
from agent.disk.proven import Proven
from agent.disk.seed import SeedError
from agent.failures import Failure, Key, outdated, still_told, wanted_of
from agent.gateway import GatewayError, Gateways
from agent.messages import Desired, Report
from agent.observer import Observer
from agent.reconcile import Actual, Memory, Scale, Step, plan, surplus
from agent.report import version_reports
from agent.settings import Settings
from agent.steps import StepError, Steps, words
from agent.torchserve.keeper import Keeper
from agent.torchserve.management import TorchServe, TorchServeError
from agent.torchserve.memory import free_mb
from agent.torchserve.server import Boot, ServerError

BEAT_S = 1.0
# Until a gateway and TorchServe have answered for the first time, for a minute at most.
IMPATIENT_S, IMPATIENT_FOR_S = 0.2, 60.0
PROVEN = "proven.json"


class Agent:
    """Brings one TorchServe to the desired state, again and again."""

    def __init__(self, settings: Settings) -> None:
        settings.folder.mkdir(parents=True, exist_ok=True)
        self._settings = settings
        self._keeper = Keeper(settings, self._boot, _say)
        self._torchserve = TorchServe(settings.management_url, settings.tokens_file)
        self._archives = Archives(settings.archives_dir)
        self._gateways = Gateways(
            settings.gateway_urls, settings.node_token_file, settings.node_token
        )
        self._steps = Steps(
            self._torchserve,
            self._archives,
            self._gateways,
            looks_at_memory=settings.check_memory,
        )
        self._kept = Kept(settings.folder)
        self._proven = Proven(settings.folder / PROVEN)
        self._observer = Observer(self._torchserve, self._archives, self._proven)
        try:
            self._offers = Offers(settings, self._gateways, _say)
        except SeedError as exc:
            raise ServerError(str(exc)) from exc
        self._is_replaced = False  # the database, by one that has not been offered all seeds
        self._failures: dict[Key, Failure] = {}
        self._surplus_since: dict[Key, float] = {}
        self._known: Actual | None = None
        self._step: threading.Thread | None = None
        self._doing: Step | None = None
        self._said: dict[str, str] = {}

    def run(self, stop: threading.Event) -> None:
        """Serve until ``stop`` is set. Raises ServerError if TorchServe cannot be started."""
        self._keeper.start(stop)
        is_settled, patient_at = False, time.monotonic() + IMPATIENT_FOR_S
        try:
            while not stop.is_set():
                began = time.monotonic()
                is_settled = self._beat(stop) or is_settled or began > patient_at
                pause = BEAT_S if is_settled else IMPATIENT_S
                stop.wait(max(0.0, pause - (time.monotonic() - began)))
        finally:
            self._keeper.stop()

    def _beat(self, stop: threading.Event) -> bool:
        """One look, report and step; whether both TorchServe and a gateway answered."""
        if self._step is None and not self._keeper.watch(stop):
            self._known = None
        # What is seen while a step is taken may be of before its end.
        is_idle = self._step is None
        actual = self._look()
        # While TorchServe runs and is merely slow to answer, what it held is what it holds.
        self._known = actual or self._known
        heard = self._report(self._known)
        if actual is not None and self._desired is not None and is_idle:
            self._next(self._desired, actual)
        return heard and actual is not None

    @property
    def _desired(self) -> Desired | None:
        return self._kept.state

    # TorchServe

    def _boot(self) -> Boot:
        """What TorchServe loads at its start: what should be served and has been before."""
        boot: dict[str, dict[str, tuple[str, int]]] = {}
        for name, model in (self._desired or Desired()).models.items():
            for version in sorted(model.versions, key=lambda each: each != model.default):
                wanted = model.versions[version]
                workers = self._settings.workers if wanted.workers is None else wanted.workers
                if wanted.sha256 in self._archives.digests and wanted.sha256 in self._proven:
                    place = self._archives.name(wanted.sha256), workers
                    boot.setdefault(name, {})[version] = place
        return boot

    def _look(self) -> Actual | None:
        """What TorchServe holds; None while it does not answer."""
        step = self._doing
        try:
            actual = self._observer.look((step.model, step.version) if step else None)
        except TorchServeError as exc:
            self._say_once("torchserve", str(exc))
            return None
        self._said.pop("torchserve", None)
        self._keeper.answered()
        return actual

    # The gateway

    def _report(self, actual: Actual | None) -> bool:
        """Report to a gateway and keep what it wants; False if none answered."""
        desired, is_waiting = self._desired, self._offers.is_waiting
        try:
            heard = self._gateways.beat(self._message(actual))
        except GatewayError as exc:
            self._say_once("gateway", f"no gateway answers, {exc}; what was served is served")
            return False
        self._said.pop("gateway", None)
        if desired is not None and heard.generation < desired.generation and not self._is_replaced:
            # Another database, or an older state of it: it may not know what came with this node.
            self._offers.again()
            self._is_replaced, is_waiting = True, self._offers.is_waiting
        if self._is_replaced and is_waiting:
            self._offers.go_on()
            return True  # and what was served is served until that database has been offered all
        self._is_replaced = False
        for key in outdated([*self._failures], desired or Desired(), heard):
            self._failures.pop(key, None)
        try:
            self._kept.keep(heard)
            self._said.pop("disk", None)
        except OSError as exc:
            self._say_once("disk", f"the desired state cannot be kept: {exc}")
        self._offers.go_on()
        return True

    def _message(self, actual: Actual | None) -> Report:
        desired, step, trouble = self._desired or Desired(), self._doing, self._keeper.trouble()
        keys = [(name, each) for name, model in desired.models.items() for each in model.versions]
        ended = {key: Failure("", trouble, 0.0) for key in keys} if trouble else {}
        return Report(
            node=self._settings.node,
            url=self._settings.inference_url,
            token=self._torchserve.token("inference"),
            generation=desired.generation,
            free_memory_mb=free_mb(),
            doing=words(step) if step else None,
            models=version_reports(
                desired,
                actual or Actual(archives=self._archives.digests),
                {**self._observer.unready(), **self._failures, **ended},
            ),
        )

    # Steps

    def _next(self, desired: Desired, actual: Actual) -> None:
        now, workers, models = time.monotonic(), self._settings.workers, desired.models.values()
        self._archives.want(each.sha256 for m in models for each in m.versions.values())
        found = surplus(desired, actual, workers)
        self._surplus_since = {key: self._surplus_since.get(key, now) for key in found}
        self._failures = still_told(self._failures, desired, found)
        memory = Memory(self._failures, self._surplus_since)
        ending = self._unready(desired, now)
        step = ending or plan(desired, actual, memory, now, workers)
        if step is None:
            self._archives.forget()
            return
        self._doing = step
        _say(words(step))
        self._step = threading.Thread(target=self._take, args=(step, ending), daemon=True)
        self._step.start()

    def _unready(self, desired: Desired, now: float) -> Step | None:
        """End workers that never become ready, which TorchServe would restart without end.

        Then they are started again after growing pauses, as after any failure. What is not wanted
        is left to the plan.
        """
        for key, found in self._observer.unready().items():
            model, before = desired.models.get(key[0]), self._failures.get(key)
            wanted = model.versions.get(key[1]) if model else None
            is_wanted = wanted is not None and wanted.sha256 == found.sha256
            if is_wanted and (before is None or before.is_due(now)):
                self._proven.remove(found.sha256)  # or the next start would load it by itself
                self._note_failure(key, found.reason)
                return Scale(*key, 0)
        return None

    def _take(self, step: Step, ending: Step | None = None) -> None:
        """Take a step. ending: the same, if it is taken because of a failure."""
        key = (step.model, step.version)
        try:
            self._steps.take(step)
        except StepError as exc:
            self._note_failure(key, str(exc), step)
        except Exception as exc:  # noqa: BLE001 - whatever it is, it is told and tried again
            reason = " ".join(f"{type(exc).__name__}: {exc}".split())
            self._note_failure(key, reason, step)
        else:
            if step is not ending:
                self._failures.pop(key, None)
        finally:
            self._doing = self._step = None

    def _note_failure(self, key: Key, reason: str, step: Step | None = None) -> None:
        _say(f"{words(step) if step else ' '.join(key)} failed: {reason}")
        wanted = wanted_of(self._desired or Desired(), key)
        if isinstance(step, Scale) and wanted is not None:
            count = self._settings.workers if wanted.workers is None else wanted.workers
            if step.workers != count:
                return  # it was wanted before
        digest = wanted.sha256 if wanted else ""
        before = self._failures.get(key)
        count = before.count + 1 if before and before.sha256 == digest else 1
        self._failures[key] = Failure(digest, reason, time.monotonic(), count)

    def _say_once(self, topic: str, text: str) -> None:
        if self._said.get(topic) != text:
            self._said[topic] = text
            _say(text)


def _say(text: str) -> None:
    with suppress(OSError):
        print(f"agent: {text}", flush=True)
