"""Reports: every version that is wanted or loaded, in one of five states."""

import pytest

from agent.failures import Failure
from agent.messages import Desired, VersionReport, WantedModel, WantedVersion
from agent.reconcile import Actual, Loaded
from agent.report import version_reports
from tests.unit.agent.torchserve_double import MODEL, STARTED, digest

KEY = (MODEL, "1.0")
SHA = digest("1.0")
WANTED = Desired(1, {MODEL: WantedModel("1.0", {"1.0": WantedVersion(SHA, 10, 2)})})


def _report(
    desired: Desired, actual: Actual, failure: Failure | None = None
) -> VersionReport | None:
    reports = version_reports(desired, actual, {KEY: failure} if failure else {})
    return reports.get(MODEL, {}).get("1.0")


def _actual(loaded: Loaded | None = None, *, is_there: bool = True) -> Actual:
    models = {MODEL: {"1.0": loaded}} if loaded else {}
    return Actual(models, {}, frozenset({SHA} if is_there else ()))


FAILURE = Failure(SHA, "no memory", 0.0)


@pytest.mark.parametrize(
    ("desired", "actual", "failure", "expected"),
    [
        (WANTED, _actual(is_there=False), None, VersionReport(SHA, "fetching")),
        (WANTED, _actual(), None, VersionReport(SHA, "loading")),
        (WANTED, _actual(Loaded(SHA, 2, 0)), None, VersionReport(SHA, "loading", 0, 2)),
        (
            WANTED,
            _actual(Loaded(SHA, 2, 1, STARTED)),
            None,
            VersionReport(SHA, "ready", 1, 2, None, STARTED),
        ),
        (WANTED, _actual(), FAILURE, VersionReport(SHA, "failed", reason="no memory")),
        (
            WANTED,
            _actual(Loaded(SHA, 2, 2)),
            FAILURE,
            VersionReport(SHA, "ready", 2, 2, "no memory"),
        ),
        (Desired(), _actual(Loaded(SHA, 2, 2)), None, VersionReport(SHA, "draining", 2, 2)),
        (
            WANTED,
            _actual(Loaded("f" * 64, 2, 2)),
            None,
            VersionReport("f" * 64, "ready", 2, 2),
        ),
        (Desired(), _actual(), None, None),
    ],
    ids=[
        *("fetching", "loading", "starting", "ready", "failed", "ready but not as wanted"),
        *("draining", "other bytes", "nothing"),
    ],
)
def test_a_version_is_in_one_state(
    desired: Desired, actual: Actual, failure: Failure | None, expected: VersionReport | None
) -> None:
    """The digest is that of what is loaded: gateways send nothing to other bytes."""
    assert _report(desired, actual, failure) == expected


def test_a_reason_is_as_gateways_take_it() -> None:
    """Whatever TorchServe wrote: a report that is refused would take the node out of service."""
    failure = Failure(SHA, "a\ud800b" + "x" * 10_000, 0.0)
    found = _report(WANTED, _actual(), failure)
    assert found is not None
    assert found.reason == "a?b" + "x" * 197


def test_models_of_both_sides_are_reported() -> None:
    """Also one without versions."""
    desired = Desired(1, {"new": WantedModel(None, {})})
    actual = Actual({"old": {"2.0": Loaded(SHA, 1, 1)}})
    reports = version_reports(desired, actual, {})
    assert reports == {"new": {}, "old": {"2.0": VersionReport(SHA, "draining", 1, 1)}}
