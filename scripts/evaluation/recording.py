"""Keeping the figures of an evaluation in a gateway's registry, where a promotion asks for them."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from scripts.administration.client import AdministrationError, Gateway, address_of
from scripts.archives.archive import MODEL, DamagedArchiveError, read_identity
from scripts.archives.digests import file_sha256
from scripts.datasets.voc import LabelledImage
from scripts.evaluation.measure import Evaluation
from scripts.evaluation.predictors import EvaluationError
from scripts.evaluation.report import as_json

_LEFT_OUT: Final = ("confusion", "pictures")  # large, and no gate asks for them
_LONGEST_NAME: Final = 200


@dataclass(frozen=True)
class Record:
    """Where figures are kept: a gateway, its key, and the data folder of one on this machine."""

    gateway: str
    key: str | None
    data_dir: Path

    def of_version(self, version: str) -> "Recorder":
        """The place for a version's figures; raises EvaluationError if there is none."""
        return Recorder(self._client(), version)

    def of_archive(self, path: Path) -> "Recorder":
        """The same for an archive; the gateway's version must have the same bytes."""
        try:
            name, version = read_identity(path)
            found = _asked(lambda: self._client().version(version))
            if name != MODEL or found["sha256"] != file_sha256(path):
                raise EvaluationError(
                    f"{path} is not the gateway's {MODEL} {version}: its figures would be those of "
                    "another archive"
                )
        except (DamagedArchiveError, OSError) as exc:
            raise EvaluationError(str(exc)) from exc
        return self.of_version(version)

    def _client(self) -> Gateway:
        return Gateway(address_of(self.gateway, self.key, self.data_dir))


class Recorder:
    """The place for a version's figures."""

    def __init__(self, gateway: Gateway, version: str) -> None:
        self._gateway = gateway
        self._version = version
        # Before anything is measured: hours of measuring must not end with a key that is refused.
        _asked(lambda: gateway.version(version))

    def keep(self, found: Evaluation, data: Path, pairs: Sequence[LabelledImage]) -> str:
        """Keep the figures; what to print. Raises EvaluationError."""
        figures = {name: each for name, each in as_json(found).items() if name not in _LEFT_OUT}
        digest = digest_of(pairs)
        body = {
            "data_name": data.resolve().name[:_LONGEST_NAME] or "data",
            "data_digest": digest,
            "figures": figures,
        }
        path = f"{self._gateway.version_path(self._version)}/evaluations"
        _asked(lambda: self._gateway.change("POST", path, body))
        return f"recorded for version {self._version} on data {digest[:12]}"


def digest_of(pairs: Sequence[LabelledImage]) -> str:
    """Hexadecimal SHA-256 of the names and contents of the pictures and masks that were measured.

    Independent of the folder's place and of the order.
    """
    digest = hashlib.sha256()
    for pair in sorted(pairs, key=lambda each: each.name):
        files = f"{file_sha256(pair.image)} {file_sha256(pair.mask)}"
        digest.update(f"{pair.name} {files}\n".encode())
    return digest.hexdigest()


def _asked(work: Any) -> Any:
    try:
        return work()
    except AdministrationError as exc:
        raise EvaluationError(f"the figures cannot be recorded: {exc}") from exc
