"""The gate of a promotion, with the evidence that the registry and the nodes have."""

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from gateway.admin import answers
from gateway.admin.bodies import PromotionRequest
from gateway.admin.golden import GoldenCheck, check_golden_masks
from gateway.admin.schemas import GateVerdict, Promotion, VersionOnNode
from gateway.admin.service import Administration
from gateway.errors import ConflictError, GateClosedError, GatewayError, InvalidRequestError
from gateway.registry import audit, models, nodes, policies, snapshot, versions
from gateway.registry.database import Connection
from gateway.registry.measurements import evaluations
from gateway.registry.promotion import Evidence, judge
from gateway.registry.records import CANARY, STABLE, Change, VersionRecord
from gateway.registry.snapshot import workers_on

_UNHEARD: Final = "no node was heard: whether the version can be loaded is not known"


@dataclass(frozen=True)
class _Candidate:
    """The version that may become stable, in the place of the stable one, if there is one."""

    record: VersionRecord
    stable: str | None
    is_canary: bool


@dataclass(frozen=True)
class _Presence:
    """A version on the nodes that were heard.

    ready: names of those with ready workers. missing: name -> its state on the others that should
    have it.
    """

    heard: tuple[str, ...]
    ready: tuple[str, ...]
    missing: Mapping[str, str]


def promote(
    connection: Connection,
    administration: Administration,
    model: str,
    wanted: PromotionRequest,
    change: Change,
    golden: GoldenCheck | None,
) -> Promotion:
    """Make a version stable if the gate is open, or if it is forced.

    golden: from `ask_nodes`. Raises GateClosedError, NotFoundError, ConflictError,
    PreconditionFailedError, and InvalidRequestError if it is forced without a reason.
    """
    if wanted.force and not change.why.strip():
        raise InvalidRequestError("A promotion that is forced needs a reason: why.")
    candidate = _candidate(connection, model, wanted.version)
    name = candidate.record.version
    if not (wanted.force or name == candidate.stable or _is_of(golden, candidate.record)):
        raise ConflictError(f"{wanted.version} has changed meanwhile. Promote it again.")
    verdict = judgement(connection, administration, candidate, golden)
    if name == candidate.stable:
        models.check(connection, model, change)
    elif verdict.passed or wanted.force:
        policies.promote(connection, model, name, change)
    else:
        models.check(connection, model, change)
        raise GateClosedError(
            f"{model} {name} does not become stable: {'; '.join(verdict.reasons)}. "
            "Overrule it with force and a reason.",
            reasons=verdict.reasons,
            findings=verdict.findings,
        )
    return Promotion(
        version=name,
        former=candidate.stable,
        forced=not verdict.passed,
        verdict=verdict,
        model=answers.model(connection, model),
    )


def _is_of(golden: GoldenCheck | None, record: VersionRecord) -> bool:
    return golden is not None and golden.sha256 == record.sha256


async def ask_nodes(
    administration: Administration, model: str, wanted: PromotionRequest
) -> GoldenCheck | None:
    """Return the golden masks of what may become stable, before the registry is changed.

    None where nothing depends on them: the promotion is forced, repeated or impossible.
    """
    if wanted.force:
        return None
    try:
        candidate = await administration.read(lambda c: _candidate(c, model, wanted.version))
    except GatewayError:
        return None  # the change fails for the same reason, unless its first answer is repeated
    if candidate.record.version == candidate.stable:
        return None
    return await check_golden_masks(administration, candidate.record)


def _candidate(connection: Connection, model: str, wanted: str) -> _Candidate:
    aliases = policies.read(connection, model).aliases
    known = {each.version for each in versions.listed(connection, model)}
    name = wanted if wanted in known else aliases.get(wanted, wanted)
    record = versions.available(connection, model, name)
    return _Candidate(record, aliases.get(STABLE), aliases.get(CANARY) == name)


def judgement(
    connection: Connection,
    administration: Administration,
    candidate: _Candidate,
    golden: GoldenCheck | None,
) -> GateVerdict:
    """Return the verdict on a candidate. golden: None if it is promoted whatever they are."""
    record, stable = candidate.record, candidate.stable
    if stable == record.version:
        finding = f"{record.version} is stable already"
        return GateVerdict(passed=True, reasons=[], findings=[finding], unknown=[])
    present = _presence(connection, record, administration.ages())
    evidence = _evidence(connection, administration, candidate, golden)
    verdict = judge(evidence)
    reasons = [
        *_absence(candidate, present),
        *verdict.reasons,
        *_faults(candidate, evidence, golden, present.ready),
    ]
    if stable and (tried := audit.automatic_roll_back(connection, record.model, record.version)):
        reasons.append(
            f"it was rolled back by itself as canary at {tried.at:%Y-%m-%d %H:%M} UTC: {tried.why}"
        )
    unknown = [*_unknown(candidate, evidence, golden), *verdict.unknown]
    if not stable and not present.heard:
        unknown.insert(0, _UNHEARD)
    return GateVerdict(
        passed=not reasons, reasons=reasons, findings=[*verdict.findings], unknown=unknown
    )


def _presence(
    connection: Connection, record: VersionRecord, ages: answers.Ages | None
) -> _Presence:
    """Return where a version is ready, and where it should be and is not."""
    heard = answers.fresh(nodes.listed(connection), ages)
    found = {each.node: each for each in answers.on_nodes(record, heard)}
    ready = [name for name, each in found.items() if each.state == "ready" and each.ready]
    state = snapshot.load(connection).models[record.model]
    missing = {
        each.name: _state_of(found.get(each.name))
        for each in heard
        if each.name not in ready and workers_on(state, record.version, each.name) != 0
    }
    return _Presence(tuple(each.name for each in heard), tuple(ready), missing)


def _state_of(found: VersionOnNode | None) -> str:
    if found is None:
        return "not there yet"
    return f"{found.state} ({found.reason})" if found.reason else found.state


def _absence(candidate: _Candidate, present: _Presence) -> Iterator[str]:
    """Yield why users would miss the version; a first stable one may come before its nodes."""
    version = candidate.record.version
    if present.heard and not present.ready:
        yield f"no node has a ready worker of {version}"
    if candidate.stable is None:
        return
    if not present.heard:
        yield _UNHEARD
    for node, state in present.missing.items():
        yield f"{version} on {node}: {state}"


def _evidence(
    connection: Connection,
    administration: Administration,
    candidate: _Candidate,
    golden: GoldenCheck | None,
) -> Evidence:
    model, version = candidate.record.model, candidate.record.version
    masks = golden.nodes if golden else ()
    if candidate.stable is None:
        return Evidence(golden_masks=masks, is_first=True)
    known = administration.behaviour
    canary, stable = (known and known(model, version, candidate.stable)) or (None, None)
    return Evidence(
        evaluations.latest_pairs(connection, model, version, candidate.stable),
        masks,
        canary,
        stable,
    )


def _faults(
    candidate: _Candidate, evidence: Evidence, golden: GoldenCheck | None, ready: Collection[str]
) -> Iterator[str]:
    """Yield what must not be missing of the evidence."""
    if golden is not None:
        if golden.fault:
            yield golden.fault
        asked = {each.node for each in golden.nodes}
        for node in ready if golden.photographs else ():
            if node not in asked:
                yield f"golden masks on {node}: it was not asked yet, promote again"
    if candidate.is_canary and not evidence.is_first and evidence.canary is None:
        yield "the canary's errors and latency are not known yet"


def _unknown(
    candidate: _Candidate, evidence: Evidence, golden: GoldenCheck | None
) -> Iterator[str]:
    """Yield what is not known, and does not close the gate."""
    if golden is None:
        yield "golden masks were not asked for, as the promotion is forced"
    elif golden.missing:
        yield golden.missing
    if evidence.is_first:
        yield "nothing is stable yet that it could be compared with"
    elif evidence.canary is None and not candidate.is_canary:
        yield "its errors and latency are not known: it was no canary"
