"""Everything about the gateway that an operator may set, read from the environment."""

from typing import Literal, Self

from pydantic import Field, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

MIB = 1024 * 1024


class Settings(BaseSettings):
    """The gateway's settings: each is an environment variable SEGSERVE_GATEWAY_<NAME>."""

    model_config = SettingsConfigDict(env_prefix="SEGSERVE_GATEWAY_", frozen=True)

    host: str = Field(
        default="127.0.0.1", description="Address to listen on; loopback unless asked."
    )
    port: int = Field(
        default=8000, ge=0, le=65535, description="Port to listen on; 0 takes a free one."
    )
    inference_url: str = Field(
        default="http://127.0.0.1:8080",
        description="TorchServe's inference API, which stays private.",
    )
    management_url: str = Field(
        default="http://127.0.0.1:8081",
        description="TorchServe's management API, which stays private.",
    )
    model: str = Field(
        default="deeplabv3", description="Name under which TorchServe knows the model."
    )
    max_image_bytes: int = Field(
        default=32 * MIB,
        ge=1,
        description="Largest upload in bytes; TorchServe's limit must be as large.",
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
    connect_timeout_s: float = Field(
        default=2.0, gt=0, description="Seconds to wait for a connection to TorchServe."
    )
    management_timeout_s: float = Field(
        default=5.0, gt=0, description="Seconds to wait for an answer of the management API."
    )
    catalogue_ttl_s: float = Field(
        default=1.0,
        ge=0,
        description="Seconds for which the list of versions is used before asking again.",
    )
    log_level: Literal["debug", "info", "warning", "error"] = Field(
        default="info", description="Least severe log line that is written."
    )

    @model_validator(mode="after")
    def _one_image_fits(self) -> Self:
        if self.max_buffered_bytes < self.max_image_bytes:
            raise ValueError("max_buffered_bytes must be at least max_image_bytes")
        return self
