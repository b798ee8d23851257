"""The details of a version, from what its archive says about itself.

An archive may be of any origin: whatever is missing or of another type is null or empty.
"""

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final, TypeVar

from gateway.models.schemas import Card, ClassFace, ModelVersionDetail, NetworkInput, Proof
from gateway.models.status import ModelFacts

Kind = TypeVar("Kind", str, int, float)

_CARD: Final = ("name", "purpose", "limits", "author", "licence", "changes")


def detail(model: str, version: str, facts: ModelFacts) -> ModelVersionDetail:
    """Return the details of a version."""
    spec, provenance = facts.spec, facts.provenance
    weights = _table(provenance, "weights")
    return ModelVersionDetail(
        model=model,
        version=version,
        architecture=_value(spec, "architecture", str),
        engine=_value(spec, "engine", str),
        precision=_value(spec, "precision", str),
        output=_value(spec, "output", str),
        threshold=_value(spec, "threshold", float) if spec.get("output") == "sigmoid" else None,
        weights=_value(weights, "origin", str),
        weights_sha256=_value(weights, "sha256", str),
        built=_time(provenance.get("built")),
        libraries=_texts(_table(provenance, "libraries")),
        input=_input(spec, _texts(_table(provenance, "input"))),
        proof=_proof(provenance),
        card=_card(facts),
    )


def _input(spec: Mapping[str, Any], sources: dict[str, str]) -> NetworkInput:
    size = _table(spec, "input")
    long_side = _value(size, "long_side", int)
    # A specification of version 1 knew the long side only.
    fit = _value(size, "fit", str) or ("long_side" if long_side else None)
    return NetworkInput(
        fit=fit,
        long_side=long_side,
        short_side=_value(size, "short_side", int) or None,
        width=_value(size, "width", int) or None,
        height=_value(size, "height", int) or None,
        multiple=_value(size, "multiple", int),
        interpolation=_value(size, "interpolation", str),
        channels=_value(spec, "channels", str),
        mean=_numbers(spec.get("mean")),
        std=_numbers(spec.get("std")),
        sources=sources,
    )


def _proof(provenance: Mapping[str, Any]) -> Proof:
    shares = {
        name: float(share)
        for name, share in _table(provenance, "agreement_with_eager").items()
        if isinstance(share, int | float) and 0 <= share <= 1
    }
    mean = sum(shares.values()) / len(shares) if shares else None
    warning = _value(provenance, "warning", str)
    return Proof(agreement=mean, photographs=shares, warning=warning)


def _card(facts: ModelFacts) -> Card:
    card, faces = facts.card, _table(facts.card, "classes")
    texts = {name: _value(card, name, str) for name in _CARD}
    examples = card.get("examples")
    classes = [_face(index, name, faces) for index, name in sorted(facts.labels.items())]
    return Card(
        **texts,
        examples=[each for each in examples if isinstance(each, str)]
        if isinstance(examples, list)
        else [],
        classes=classes,
    )


def _face(index: int, name: str, faces: Mapping[str, Any]) -> ClassFace:
    face = _table(faces, name)
    shown = _value(face, "name", str) or name
    return ClassFace(id=index, name=name, display_name=shown, colour=_value(face, "colour", str))


def _table(table: Mapping[str, Any], key: str) -> Mapping[str, Any]:
    found = table.get(key)
    return found if isinstance(found, dict) else {}


def _value(table: Mapping[str, Any], key: str, kind: type[Kind]) -> Kind | None:
    found = table.get(key)
    if kind is float and isinstance(found, int) and not isinstance(found, bool):
        return kind(found)
    return found if isinstance(found, kind) and not isinstance(found, bool) else None


def _texts(table: Mapping[str, Any]) -> dict[str, str]:
    return {name: text for name, text in table.items() if isinstance(text, str)}


def _numbers(values: object) -> list[float]:
    if not isinstance(values, list):
        return []
    return [float(each) for each in values if isinstance(each, int | float)]


def _time(text: object) -> datetime | None:
    try:
        return datetime.fromisoformat(text) if isinstance(text, str) else None
    except ValueError:
        return None
