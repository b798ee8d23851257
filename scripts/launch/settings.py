"""The settings of the product on one machine, from the environment."""

import os
from collections.abc import Mapping
from pathlib import Path

from pydantic import Field, ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict

from scripts.archives.paths import MODEL_STORE, ROOT

PREFIX = "SEGSERVE_SERVE_"


MOST_WORKERS = 256  # of a version: more than any machine has memory for


def default_workers() -> int:
    """One worker for each pair of cores, at least two, so that one decodes while one infers."""
    return min(max(2, (os.cpu_count() or 2) // 2), MOST_WORKERS)


class SettingError(ValueError):
    """A variable has an invalid value; the text names it."""


def read_settings(table: Mapping[str, object] | None = None) -> "Settings":
    """Read the settings from the environment; ``table`` has values for fields without a variable.

    Raises SettingError.
    """
    fields = Settings.model_fields
    behind = {
        name: value
        for name, value in (table or {}).items()
        if name in fields and not os.environ.get(PREFIX + name.upper())
    }
    try:
        return Settings(**behind)  # type: ignore[arg-type]  # pydantic checks them
    except ValidationError as exc:
        problem = exc.errors()[0]
        name = PREFIX + "_".join(map(str, problem["loc"])).upper()
        raise SettingError(f"{name}: {problem['msg']}") from exc


class Settings(BaseSettings):
    """Fields with the environment variables SEGSERVE_SERVE_<NAME>."""

    model_config = SettingsConfigDict(env_prefix=PREFIX, frozen=True)

    host: str = Field(default="127.0.0.1", description="Address of the gateway and the page.")
    gateway_port: int = Field(default=8000, description="Port of the gateway.")
    ui_port: int = Field(default=8501, description="Port of the page.")
    ui: bool = Field(default=True, description="Whether to start the page.")
    torchserve_host: str = Field(
        default="127.0.0.1", description="Address of TorchServe's APIs, which require its tokens."
    )
    inference_port: int = Field(default=8080, description="Port of the inference API.")
    management_port: int = Field(default=8081, description="Port of the management API.")
    metrics: bool = Field(
        default=False, description="Whether TorchServe serves its own metrics, without a token."
    )
    metrics_port: int = Field(default=8082, description="Port of TorchServe's metrics.")
    grpc_inference_port: int = Field(default=7070, description="TorchServe opens it unasked.")
    grpc_management_port: int = Field(default=7071, description="TorchServe opens it unasked.")
    workers: int = Field(
        default_factory=default_workers,
        ge=1,
        le=MOST_WORKERS,
        description="Worker processes of a version.",
    )
    max_request_bytes: int = Field(
        default=32 * 1024 * 1024, description="Must be at least the gateway's MAX_IMAGE_BYTES."
    )
    max_response_bytes: int = Field(
        default=64 * 1024 * 1024, description="The largest mask: one byte a pixel at the limit."
    )
    heap: str = Field(default="384m", description="Java's largest heap.")
    startup_s: float = Field(default=120.0, description="Seconds until everything must answer.")
    min_memory_mb: int = Field(default=1500, description="Free memory needed to start.")
    model_store: Path = Field(default=MODEL_STORE, description="Folder of the archives.")
    data_dir: Path = Field(
        default=ROOT / "data", description="Folder of what must survive: registry, archives."
    )
    run_dir: Path = Field(default=ROOT / ".run", description="Folder of configuration and logs.")

    @property
    def server_dir(self) -> Path:
        """Folder of one TorchServe, for its user alone: its configuration and its tokens."""
        return self.run_dir.absolute() / f"agent-{self.management_port}"

    @property
    def tokens_file(self) -> Path:
        """File of the tokens that TorchServe makes at each start."""
        return self.server_dir / "torchserve" / "key_file.json"

    @property
    def desired_file(self) -> Path:
        """The agent's file of what it was told to serve."""
        return self.server_dir / "desired.json"
