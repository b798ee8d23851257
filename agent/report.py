"""The report of every version that is wanted or loaded."""

from collections.abc import Mapping

from agent.failures import Failure, Key
from agent.messages import Desired, State, VersionReport
from agent.reconcile import Actual, Loaded

LONGEST_REASON = 200  # characters


def version_reports(
    desired: Desired, actual: Actual, failures: Mapping[Key, Failure]
) -> dict[str, dict[str, VersionReport]]:
    """Model -> version -> report, of each that is wanted or loaded.

    failures: what is told of those that are not ready.
    """
    names = {*desired.models, *actual.models}
    reports: dict[str, dict[str, VersionReport]] = {name: {} for name in names}
    for name in names:
        wanted = desired.models[name].versions if name in desired.models else {}
        for version in {*wanted, *actual.models.get(name, {})}:
            loaded, failure = actual.find((name, version)), failures.get((name, version))
            digest = loaded.sha256 if loaded else wanted[version].sha256
            reports[name][version] = VersionReport(
                sha256=digest,
                state=_state(
                    is_wanted=version in wanted,
                    is_there=digest in actual.archives,
                    loaded=loaded,
                    failure=failure,
                ),
                ready=loaded.ready if loaded else 0,
                wanted=loaded.wanted if loaded else 0,
                reason=_reason(failure) if failure else None,
                loaded_at=loaded.loaded_at if loaded else None,
            )
    return reports


def _reason(failure: Failure) -> str:
    """The reason as gateways take it: whatever TorchServe wrote, a short text."""
    return failure.reason.encode("utf-8", "replace").decode()[:LONGEST_REASON]


def _state(
    *, is_wanted: bool, is_there: bool, loaded: Loaded | None, failure: Failure | None
) -> State:
    if not is_wanted:
        return "draining"
    if loaded is not None and loaded.ready:
        return "ready"
    if failure is not None:
        return "failed"
    return "loading" if is_there else "fetching"
