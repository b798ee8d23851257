"""The gateway's settings, read from the environment."""

import ipaddress
import re
from typing import Annotated, Literal, Self

from pydantic import AliasChoices, Field, SecretStr, field_validator, model_validator
from pydantic_settings import NoDecode

from gateway.rate import Rate
from gateway.state_settings import StateSettings

MIB = 1024 * 1024
# The first parts of the gateway's paths.
_OWN_PATHS = {"segmentation", "v1", "v2", "docs", "openapi.json", "healthz", "readyz", "metrics"}
# A host, a port, and the path of a server that is not at the root; no user, query or dots.
_SERVER = re.compile(
    r"https?://([a-z0-9._-]+|\[[0-9a-f:.]+\])(:\d{1,5})?(/[a-z0-9_~-]+)*/?", re.IGNORECASE
)
_KEY = re.compile(r"[A-Za-z0-9._-]+")
_ORIGIN = re.compile(r"\*|https?://[^/\s,*]+")

# A name in the header Host, without its port.
_Name = Annotated[str, Field(pattern=r"^(\*|[A-Za-z0-9._-]+)$")]


class Settings(StateSettings):
    """The gateway's settings; each is an environment variable SEGSERVE_GATEWAY_<NAME>."""

    host: str = Field(
        default="127.0.0.1", description="Address to listen on; loopback unless asked."
    )
    port: int = Field(
        default=8000, ge=0, le=65535, description="Port to listen on; 0 takes a free one."
    )
    model: str = Field(
        default="deeplabv3", description="Name under which TorchServe knows the model."
    )
    max_image_bytes: int = Field(
        default=32 * MIB,
        ge=1,
        description="Largest upload in bytes; TorchServe's limit must be as large.",
    )
    max_batch_bytes: int = Field(
        default=256 * MIB,
        ge=1,
        description="Largest batch in bytes: all images of one request to /v1/segment/batch.",
    )
    max_buffered_bytes: int = Field(
        default=64 * MIB,
        ge=1,
        description="Bytes of all uploads held in memory at once; more is answered 503.",
    )
    max_concurrency: int = Field(
        default=16,
        ge=1,
        description="Requests at TorchServe at once: enough to fill its workers' batches.",
    )
    max_queue: int = Field(
        default=64, ge=0, description="Requests that may wait for their turn; more is answered 503."
    )
    deadline_s: float = Field(
        default=30.0,
        gt=0,
        description="Seconds from the end of the upload to the answer, queueing included.",
    )
    upload_deadline_s: float = Field(
        default=60.0, gt=0, description="Seconds a client may take to send its image."
    )
    batch_deadline_s: float = Field(
        default=300.0, gt=0, description="Seconds a client may take to send a batch of images."
    )
    connect_timeout_s: float = Field(
        default=2.0, gt=0, description="Seconds to wait for a connection to TorchServe."
    )
    unresponsive_s: float = Field(
        default=10.0,
        gt=0,
        description="Seconds without an answer of any worker that was asked; then /readyz is 503.",
    )
    drain_s: float = Field(
        default=1.0,
        ge=0,
        description="Seconds for which it serves on after the signal to stop, with /readyz at 503.",
    )
    log_level: Literal["debug", "info", "warning", "error"] = Field(
        default="info", description="Least severe log line that is written."
    )
    log_format: Literal["text", "json"] = Field(
        default="text", description="Lines of words, or a JSON object a line with fields."
    )

    auth: Literal["auto", "on", "off"] = Field(
        default="auto",
        description="Whether clients need a key; auto asks for one unless host is loopback.",
    )
    published_host: str | None = Field(
        default=None,
        description="Address at which clients reach it, if not host, as of a container; for auth.",
    )
    hosts: Annotated[tuple[_Name, ...], NoDecode] = Field(
        default=(),
        description="Names, separated by commas, to which it answers without keys; * is any.",
    )
    trusted_proxies: Annotated[tuple[str, ...], NoDecode] = Field(
        default=(),
        description="Proxies, separated by commas, whose X-Forwarded-* headers are believed.",
    )
    root_path: str | None = Field(
        default=None,
        pattern=r"^(/[A-Za-z0-9._~-]+)+$",
        description="Path under which a proxy publishes the gateway, such as /segserve.",
    )
    rate_limit: Rate | None = Field(
        default=None,
        description="Images that a key, or an address without keys, may send, such as 600/minute.",
    )
    key_concurrency: int = Field(
        default=0, ge=0, description="Requests of one key at once; 0 sets no limit."
    )
    limits_url: SecretStr | None = Field(
        default=None,
        description="redis:// address where gateways count together; without, each by itself.",
    )
    cors_origins: Annotated[tuple[str, ...], NoDecode] = Field(
        default=(),
        description="Origins, separated by commas, whose pages may ask; * is any, empty is none.",
    )

    label_studio_url: str | None = Field(
        default=None,
        validation_alias=AliasChoices("SEGSERVE_GATEWAY_LABEL_STUDIO_URL", "LABEL_STUDIO_URL"),
        description="Label Studio's address, the only one from which images of tasks are fetched.",
    )
    label_studio_api_key: SecretStr | None = Field(
        default=None,
        validation_alias=AliasChoices(
            "SEGSERVE_GATEWAY_LABEL_STUDIO_API_KEY", "LABEL_STUDIO_API_KEY"
        ),
        description="A key of Label Studio: a legacy token, or a personal access token.",
    )

    @field_validator(
        "rate_limit",
        "limits_url",
        "published_host",
        "root_path",
        "label_studio_url",
        "label_studio_api_key",
        mode="before",
    )
    @classmethod
    def _empty_is_none(cls, value: object) -> object:
        return value or None

    @field_validator("limits_url")
    @classmethod
    def _is_redis(cls, value: SecretStr | None) -> SecretStr | None:
        if value and not value.get_secret_value().startswith(("redis://", "rediss://")):
            raise ValueError("the address begins with redis:// or rediss://")
        return value

    @field_validator("cors_origins", "hosts", "trusted_proxies", mode="before")
    @classmethod
    def _separated(cls, value: object) -> object:
        if not isinstance(value, str):
            return value
        return [each.strip() for each in value.split(",") if each.strip()]

    @field_validator("cors_origins")
    @classmethod
    def _are_origins(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        origins = tuple(each for each in value if each)
        if not all(_ORIGIN.fullmatch(each) for each in origins):
            raise ValueError("an origin is a scheme, a host and a port, such as https://app.test")
        return origins

    @field_validator("root_path")
    @classmethod
    def _is_no_path_of_ours(cls, value: str | None) -> str | None:
        if value and value.split("/")[1] in _OWN_PATHS:
            raise ValueError("the gateway's own paths begin so; publish it under another path")
        return value

    @field_validator("trusted_proxies")
    @classmethod
    def _are_networks(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        proxies = tuple(each for each in value if each)
        for each in proxies:
            ipaddress.ip_network(each)
        return proxies

    @field_validator("label_studio_url")
    @classmethod
    def _is_server(cls, value: str | None) -> str | None:
        if value and not _SERVER.fullmatch(value):
            raise ValueError("the address is a scheme, a host and a port: http://127.0.0.1:8080")
        return value

    @field_validator("label_studio_api_key")
    @classmethod
    def _is_key(cls, value: SecretStr | None) -> SecretStr | None:
        if value and not _KEY.fullmatch(value.get_secret_value()):
            raise ValueError("a key has letters, digits, '.', '_' and '-' only")
        return value

    @model_validator(mode="after")
    def _server_has_key(self) -> Self:
        if self.label_studio_url and not self.label_studio_api_key:
            raise ValueError("label_studio_url needs label_studio_api_key")
        return self

    @model_validator(mode="after")
    def _one_image_fits(self) -> Self:
        if self.max_buffered_bytes < self.max_image_bytes:
            raise ValueError("max_buffered_bytes must be at least max_image_bytes")
        return self
