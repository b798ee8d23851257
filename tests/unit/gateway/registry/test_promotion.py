"""The gate of a promotion."""

from datetime import UTC, datetime
from typing import Any

import pytest

from gateway.registry.promotion import Behaviour, Evidence, GoldenMasks, Margins, judge
from gateway.registry.records import EvaluationRecord

STABLE = {"miou": 0.70, "per_class": {"person": 0.80, "cat": 0.60, "boat": None}}
MARGINS = Margins(miou=0.005, class_iou=0.03, error_rate=0.01, latency=1.5, requests=100)


def evaluation(version: str, figures: dict[str, Any], digest: str = "d" * 64) -> EvaluationRecord:
    """An evaluation."""
    now = datetime.now(UTC)
    return EvaluationRecord("deeplabv3", version, digest, "voc", figures, now, "boss")


def quality(digest: str = "d" * 64, **changes: Any) -> Evidence:
    """A candidate with these figures, and stable."""
    per_class = {**STABLE["per_class"], **changes.pop("per_class", {})}  # type: ignore[dict-item]
    figures = {**STABLE, **changes, "per_class": per_class}
    return Evidence(((evaluation("2.0", figures, digest), evaluation("1.0", STABLE)),))


def behaviour(**changes: Any) -> Evidence:
    """A good candidate that behaves so, as canary."""
    usual: dict[str, Any] = {"requests": 1000, "failed": 10, "median_ms": 100.0}
    stable = changes.pop("stable", Behaviour(**usual))
    evaluations = quality().evaluations
    return Evidence(evaluations, canary=Behaviour(**{**usual, **changes}), stable=stable)


@pytest.mark.parametrize(
    "evidence",
    [
        quality(),
        quality(miou=0.9),
        quality(miou=0.695),
        quality(per_class={"cat": 0.57}),
        quality(per_class={"boat": 0.0, "dog": 0.1}),  # stable has neither
        behaviour(),
        behaviour(failed=20),
        behaviour(median_ms=150.0),
        behaviour(median_ms=900.0, stable=None),
        behaviour(median_ms=900.0, stable=Behaviour(99, 0, 1.0)),
        behaviour(failed=10, stable=Behaviour(99, 99, None)),
        behaviour(median_ms=900.0, stable=Behaviour(100, 100, None)),
    ],
)
def test_a_candidate_that_is_not_worse_passes(evidence: Evidence) -> None:
    """A loss of exactly the margin is within it; the findings say what was compared."""
    verdict = judge(evidence, MARGINS)
    assert verdict.reasons == ()
    assert verdict.passed
    assert any("mean IoU" in each for each in verdict.findings)


@pytest.mark.parametrize(
    ("evidence", "reason"),
    [
        (Evidence(), "no evaluation of both versions on the same data"),
        (quality(digest="e" * 64), "no evaluation of both versions on the same data"),
        (quality(miou=0.694), "mean IoU 0.6940 on voc, stable has 0.7000"),
        (quality(miou=None), "an evaluation on voc has no mean IoU"),
        (quality(miou="high"), "an evaluation on voc has no mean IoU"),
        (quality(miou=float("nan")), "an evaluation on voc has no mean IoU"),
        (quality(per_class={"cat": 0.569}), "cat: IoU 0.5690 on voc, stable has 0.6000"),
        (quality(per_class={"cat": None}), "cat on voc: the candidate has no such class"),
        (behaviour(failed=21), "2.10% of 1000 requests failed, stable has 1.00%"),
        (behaviour(median_ms=151.0), "median 151 ms, stable has 100 ms"),
        (
            behaviour(failed=11, stable=Behaviour(99, 99, None)),
            "1.10% of 1000 requests failed, at most 1.00% may",
        ),
        (behaviour(failed=11, stable=None), "1.10% of 1000 requests failed, at most 1.00% may"),
        (
            behaviour(failed=1000, median_ms=None, stable=Behaviour(1000, 1000, 5.0)),
            "no request to the canary succeeded",
        ),
        (behaviour(requests=99, failed=0), "the canary had 99 requests, 100 are needed"),
        (behaviour(requests=0, failed=0), "the canary had 0 requests, 100 are needed"),
    ],
)
def test_each_reason_alone_holds_a_candidate_back(evidence: Evidence, reason: str) -> None:
    """The verdict has the one reason, with both figures."""
    verdict = judge(evidence, MARGINS)
    (only,) = verdict.reasons
    assert only.startswith(reason)
    assert not verdict.passed


def test_every_data_set_is_judged() -> None:
    """A good figure on the newest one does not hide a bad one; the images are counted."""
    bad = quality(miou=0.1, images=40, digest="e" * 64).evaluations[0][0]
    stable = evaluation("1.0", STABLE, "e" * 64)
    verdict = judge(Evidence((*quality().evaluations, (bad, stable))), MARGINS)
    assert verdict.reasons == ("mean IoU 0.1000 on voc (40 images), stable has 0.7000",)
    assert verdict.findings == ("mean IoU 0.7000 on voc, stable has 0.7000",)


def test_what_could_not_be_compared_is_told() -> None:
    """A stable version without enough requests is no measure, and neither for nor against."""
    verdict = judge(behaviour(median_ms=900.0, stable=Behaviour(99, 0, 1.0)), MARGINS)
    assert verdict.unknown == ("latency was not compared: stable had 99 requests meanwhile",)
    assert "ms" not in " ".join([*verdict.findings, *verdict.reasons])


@pytest.mark.parametrize(
    ("masks", "finding"),
    [
        (
            GoldenMasks("one", {"cat.jpg": 1.0, "boat.jpg": 0.99}),
            "golden masks on one: at least 99.00% of the pixels of 2 photographs agree",
        ),
        (
            GoldenMasks("two", {"cat.jpg": 1.0, "dog.jpg": 0.98999, "boat.jpg": 0.5}),
            "golden masks on two differ: dog.jpg 98.99%, boat.jpg 50.00% of the pixels agree, "
            "99.0% are needed",
        ),
        (GoldenMasks("two", failure="no answer"), "golden masks on two: no answer"),
        (GoldenMasks("two", {"cat.jpg": 1.0}, "no answer"), "golden masks on two: no answer"),
        (GoldenMasks("two"), "golden masks on two: there are none"),
    ],
)
def test_golden_masks_are_judged_on_each_node(masks: GoldenMasks, finding: str) -> None:
    """A node whose masks differ is named with the photographs; one without masks closes the gate.

    A share just below the limit does not look like it.
    """
    is_good = masks.node == "one"
    for others in ((), (GoldenMasks("three", {"cat.jpg": 1.0}),)):
        verdict = judge(Evidence(quality().evaluations, (*others, masks)))
        assert verdict.passed == is_good
        assert finding in (verdict.findings if is_good else verdict.reasons)
        assert len(verdict.reasons) == (not is_good)


def test_the_first_version_is_judged_by_its_masks_alone() -> None:
    """There is nothing that its figures could be compared with."""
    assert judge(Evidence(is_first=True)).passed
    masks = (GoldenMasks("one", {"cat.jpg": 0.5}),)
    assert len(judge(Evidence(golden_masks=masks, is_first=True)).reasons) == 1


def test_all_reasons_are_told_at_once() -> None:
    """An operator need not repeat a promotion to see the next reason."""
    bad = quality(miou=0.1, per_class={"cat": 0.1, "person": 0.1})
    evidence = Evidence(
        bad.evaluations,
        (GoldenMasks("two", {"a.jpg": 0.1}),),
        Behaviour(100, 50, 1000.0),
        Behaviour(100, 0, 100.0),
    )
    assert len(judge(evidence, MARGINS).reasons) == 6
