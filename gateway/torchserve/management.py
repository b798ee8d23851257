"""Read-only client of TorchServe's management API."""

import asyncio
import json
import re
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

import httpx
from pydantic import BaseModel, Field, JsonValue, TypeAdapter, ValidationError, field_validator

from gateway.errors import ModelUnavailableError
from gateway.torchserve.failures import from_response, from_transport
from gateway.torchserve.inference import Liveness
from gateway.torchserve.transport import Tokens


@dataclass(frozen=True)
class VersionStatus:
    """A registered version.

    workers: number of ready workers. loaded_at: when the oldest of them started.
    wanted: number of workers that it was given; TorchServe restarts one that dies.
    """

    version: str
    workers: int
    loaded_at: datetime | None
    wanted: int = 0


@dataclass(frozen=True)
class ModelStatus:
    """The versions of a registered model at one moment."""

    default_version: str
    versions: tuple[VersionStatus, ...]

    def find(self, version: str) -> VersionStatus | None:
        """Return the status of a version, or None if it is not registered."""
        return next((status for status in self.versions if status.version == version), None)

    @property
    def names(self) -> str:
        """The names of the versions, for messages."""
        return ", ".join(status.version for status in self.versions)


class _Worker(BaseModel):
    status: str
    start_time: datetime = Field(alias="startTime")


@dataclass(frozen=True)
class ModelFacts:
    """What an archive says about itself.

    labels: class id -> name. spec, provenance, card: its files; empty for an older archive.
    """

    labels: dict[int, str]
    spec: dict[str, JsonValue] = field(default_factory=dict)
    provenance: dict[str, JsonValue] = field(default_factory=dict)
    card: dict[str, JsonValue] = field(default_factory=dict)


class _Metadata(BaseModel):
    labels: dict[int, str]
    spec: dict[str, JsonValue] | None = None
    provenance: dict[str, JsonValue] | None = None
    card: dict[str, JsonValue] | None = None

    def facts(self) -> ModelFacts:
        return ModelFacts(self.labels, self.spec or {}, self.provenance or {}, self.card or {})


class _Description(BaseModel):
    version: str = Field(alias="modelVersion")
    workers: list[_Worker] = Field(default_factory=list)
    wanted: int = Field(default=0, alias="minWorkers")
    metadata: _Metadata | None = Field(default=None, alias="customizedMetadata")

    @field_validator("metadata", mode="before")
    @classmethod
    def _parse(cls, value: object) -> object:
        return json.loads(value) if isinstance(value, str) else value

    def status(self) -> VersionStatus:
        ready = [worker.start_time for worker in self.workers if worker.status == "READY"]
        return VersionStatus(self.version, len(ready), min(ready, default=None), self.wanted)


# Names that headers and metrics can carry: TorchServe takes any from an archive.
_SENDABLE: Final = re.compile(r"[!-~]+")
_DESCRIPTIONS = TypeAdapter(list[_Description])


class ManagementClient:
    """A client of the management API."""

    def __init__(
        self,
        client: httpx.AsyncClient,
        url: str,
        timeout_s: float,
        tokens: Tokens | None = None,
        liveness: Liveness | None = None,
    ) -> None:
        self._liveness = liveness or Liveness()
        self._client = client
        self._tokens = tokens or Tokens(None)
        self._url = url.rstrip("/")
        self._timeout = httpx.Timeout(timeout_s)

    async def status(self, model: str) -> ModelStatus:
        """Return all versions of a model, and which of them is the default.

        Versions whose names no header can carry are left out. Raises NotFoundError if the model is
        not registered, ModelUnavailableError if TorchServe does not respond.
        """
        # Two requests, because the list of all versions does not mark the default.
        default, everything = await asyncio.gather(
            self._describe(f"/models/{model}"), self._describe(f"/models/{model}/all")
        )
        if not _SENDABLE.fullmatch(default[0].version):
            raise ModelUnavailableError("The default version has a name that cannot be sent.")
        named = (each for each in everything if _SENDABLE.fullmatch(each.version))
        versions = sorted((each.status() for each in named), key=lambda each: each.version)
        return ModelStatus(default[0].version, tuple(versions))

    async def facts(self, model: str, version: str, timeout_s: float | None = None) -> ModelFacts:
        """Return what the version's archive says about itself; occupies a worker for a moment.

        timeout_s: another timeout than the client's. Raises ModelUnavailableError or NotFoundError.
        """
        path = f"/models/{model}/{version}?customized=true"
        is_answered = False
        self._liveness.begin(version)
        try:
            description = (await self._describe(path, timeout_s))[0]
            is_answered = True
        finally:
            self._liveness.end(version, is_answered=is_answered)
        if description.metadata is None:
            raise ModelUnavailableError("The model does not say which classes it knows.")
        return description.metadata.facts()

    async def _describe(self, path: str, timeout_s: float | None = None) -> list[_Description]:
        timeout = self._timeout if timeout_s is None else httpx.Timeout(timeout_s)
        try:
            response = await self._get(self._url + path, timeout)
        except httpx.TimeoutException as exc:
            # Not a 504: the deadline of the client's own request has not passed.
            raise ModelUnavailableError("The inference server is silent. Try again later.") from exc
        except httpx.HTTPError as exc:
            raise from_transport(exc) from exc
        if response.status_code != httpx.codes.OK:
            raise from_response(response)
        try:
            descriptions = _DESCRIPTIONS.validate_json(response.content)
        except ValidationError as exc:
            raise ModelUnavailableError(
                "TorchServe described the model in an unknown way."
            ) from exc
        if not descriptions:
            raise ModelUnavailableError("TorchServe describes no version of the model.")
        return descriptions

    async def _get(self, url: str, timeout: httpx.Timeout) -> httpx.Response:
        try:
            return await self._send(url, timeout)
        except (httpx.RemoteProtocolError, httpx.ReadError):
            # TorchServe closed a kept-alive connection just as it was taken from the pool.
            return await self._send(url, timeout)

    async def _send(self, url: str, timeout: httpx.Timeout) -> httpx.Response:
        headers = self._tokens.headers("management")
        return await self._client.get(url, headers=headers, timeout=timeout)
