"""The gate of a promotion: what was measured of a candidate and of stable -> a verdict."""

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from gateway.registry.records import EvaluationRecord


@dataclass(frozen=True, slots=True)
class Margins:
    """How much worse than stable a candidate may be. Shares are 0..1.

    miou: lost mean IoU. class_iou: lost IoU of any class. error_rate: added share of failed
    requests. latency: factor of the median. requests: fewer than these say nothing. golden: least
    share of a photograph's pixels with the class of its golden mask (decision record 0056).
    """

    miou: float = 0.005
    class_iou: float = 0.03
    error_rate: float = 0.01
    latency: float = 1.5
    requests: int = 100
    golden: float = 0.99


@dataclass(frozen=True, slots=True)
class Behaviour:
    """Requests to a version. failed: those that its workers did not answer.

    median_ms: of those that succeeded; None if none did.
    """

    requests: int
    failed: int
    median_ms: float | None

    @property
    def error_rate(self) -> float:
        """The share of failed requests, 0..1."""
        return self.failed / self.requests if self.requests else 0.0


@dataclass(frozen=True, slots=True)
class GoldenMasks:
    """What a node computes of the photographs in an archive, compared with their masks there.

    agreement: photograph -> share of the pixels of the same class, 0..1. failure: why the node
    gave no masks; empty if it did.
    """

    node: str
    agreement: Mapping[str, float] = field(default_factory=dict)
    failure: str = ""


@dataclass(frozen=True, slots=True)
class Evidence:
    """All that is known of a candidate and of the stable version that it replaces.

    evaluations: of the candidate and of stable, on each data set that both were measured on.
    canary: the candidate's behaviour as canary. stable: that of stable in the same time. is_first:
    nothing is stable yet that it could be compared with.
    """

    evaluations: tuple[tuple[EvaluationRecord, EvaluationRecord], ...] = ()
    golden_masks: tuple[GoldenMasks, ...] = ()
    canary: Behaviour | None = None
    stable: Behaviour | None = None
    is_first: bool = False


@dataclass(frozen=True, slots=True)
class Verdict:
    """Whether a candidate may become stable.

    reasons: against it. findings: for it. unknown: what could not be compared.
    """

    reasons: tuple[str, ...]
    findings: tuple[str, ...]
    unknown: tuple[str, ...] = ()

    @property
    def passed(self) -> bool:
        """Whether nothing speaks against the candidate."""
        return not self.reasons


@dataclass(frozen=True, slots=True)
class _Finding:
    is_good: bool | None  # None: not known
    text: str


_NO_EVALUATION: Final = (
    "no evaluation of both versions on the same data: record them with `segserve evaluate --record`"
)


def judge(evidence: Evidence, margins: Margins = Margins()) -> Verdict:
    """Return the verdict on a candidate."""
    findings = [
        *(() if evidence.is_first else _quality(evidence.evaluations, margins)),
        *_masks(evidence.golden_masks, margins),
        *_behaviour(evidence.canary, evidence.stable, margins),
    ]
    return Verdict(
        reasons=tuple(each.text for each in findings if each.is_good is False),
        findings=tuple(each.text for each in findings if each.is_good),
        unknown=tuple(each.text for each in findings if each.is_good is None),
    )


def _quality(
    evaluations: tuple[tuple[EvaluationRecord, EvaluationRecord], ...], margins: Margins
) -> Iterator[_Finding]:
    same = [pair for pair in evaluations if pair[0].data_digest == pair[1].data_digest]
    if not same:
        yield _Finding(False, _NO_EVALUATION)
    for pair in same:
        yield from _on_data(pair, margins)


def _on_data(
    evaluations: tuple[EvaluationRecord, EvaluationRecord], margins: Margins
) -> Iterator[_Finding]:
    candidate, stable = (each.figures for each in evaluations)
    data = evaluations[0].data_name
    count = candidate.get("images")
    if isinstance(count, int) and not isinstance(count, bool):
        data += f" ({count} images)"
    mine, theirs = _share(candidate.get("miou")), _share(stable.get("miou"))
    if mine is None or theirs is None:
        yield _Finding(False, f"an evaluation on {data} has no mean IoU")
        return
    text = f"mean IoU {mine:.4f} on {data}, stable has {theirs:.4f}"
    yield _Finding(_is_within(theirs - mine, margins.miou), text)
    yield from _classes(data, _per_class(candidate), _per_class(stable), margins)


def _classes(
    data: str, candidate: Mapping[str, Any], stable: Mapping[str, Any], margins: Margins
) -> Iterator[_Finding]:
    """What is against it only: a finding for each class would hide the others."""
    for name, figure in stable.items():
        theirs, mine = _share(figure), _share(candidate.get(name))
        if theirs is None:
            continue  # the data does not have the class
        if mine is None:
            yield _Finding(False, f"{name} on {data}: the candidate has no such class")
        elif not _is_within(theirs - mine, margins.class_iou):
            yield _Finding(False, f"{name}: IoU {mine:.4f} on {data}, stable has {theirs:.4f}")


def _masks(golden_masks: tuple[GoldenMasks, ...], margins: Margins) -> Iterator[_Finding]:
    for each in golden_masks:
        where = f"golden masks on {each.node}"
        if each.failure or not each.agreement:
            yield _Finding(False, f"{where}: {each.failure or 'there are none'}")
            continue
        bad = {
            name: share
            for name, share in each.agreement.items()
            if not _is_within(margins.golden - share, 0)
        }
        if bad:
            shares = ", ".join(f"{name} {_floored(share)}" for name, share in bad.items())
            text = f"{where} differ: {shares} of the pixels agree, {margins.golden:.1%} are needed"
            yield _Finding(False, text)
        else:
            least, count = min(each.agreement.values()), len(each.agreement)
            text = f"{where}: at least {_floored(least)} of the pixels of {count} photographs agree"
            yield _Finding(True, text)


def _floored(share: float) -> str:
    """Percent that never look like more than they are."""
    return f"{math.floor(share * 1e4) / 1e4:.2%}"


def _behaviour(
    canary: Behaviour | None, stable: Behaviour | None, margins: Margins
) -> Iterator[_Finding]:
    if canary is None:
        return
    if canary.requests < margins.requests:
        text = f"the canary had {canary.requests} requests, {margins.requests} are needed"
        yield _Finding(False, text)
        return
    failed = f"{canary.error_rate:.2%} of {canary.requests} requests failed"
    if stable is None or stable.requests < margins.requests:
        text = f"{failed}, at most {margins.error_rate:.2%} may"
        yield _Finding(_is_within(canary.error_rate, margins.error_rate), text)
        count = stable.requests if stable else 0
        yield _Finding(None, f"latency was not compared: stable had {count} requests meanwhile")
    else:
        text = f"{failed}, stable has {stable.error_rate:.2%}"
        yield _Finding(_is_within(canary.error_rate - stable.error_rate, margins.error_rate), text)
        yield from _latency(canary.median_ms, stable.median_ms, margins)
    if canary.median_ms is None:
        yield _Finding(False, "no request to the canary succeeded")


def _latency(mine: float | None, theirs: float | None, margins: Margins) -> Iterator[_Finding]:
    if theirs is None:
        yield _Finding(None, "latency was not compared: no request to stable succeeded")
    elif mine is not None:
        text = f"median {mine:.0f} ms, stable has {theirs:.0f} ms"
        yield _Finding(_is_within(mine, theirs * margins.latency), text)


def _per_class(figures: Mapping[str, Any]) -> Mapping[str, Any]:
    per_class = figures.get("per_class")
    return per_class if isinstance(per_class, Mapping) else {}


def _share(value: object) -> float | None:
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    return float(value) if is_number and 0 <= value <= 1 else None  # type: ignore[operator,arg-type]


def _is_within(difference: float, margin: float) -> bool:
    # A loss of exactly the margin is allowed, whatever the last binary digit of the difference.
    return difference <= margin + 1e-9
