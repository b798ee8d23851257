"""The page's settings, from environment variables."""

from typing import Annotated

from pydantic import Field, field_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

# A name in the header Host, without its port.
_Name = Annotated[str, Field(pattern=r"^(\*|[A-Za-z0-9._-]+)$")]


class Settings(BaseSettings):
    """The variables SEGSERVE_UI_<NAME>; read once and passed on."""

    model_config = SettingsConfigDict(env_prefix="SEGSERVE_UI_", frozen=True)

    host: str = Field(default="127.0.0.1", description="Address the page listens on.")
    port: int = Field(default=8501, ge=1, le=65535, description="Port the page listens on.")
    hosts: Annotated[tuple[_Name, ...], NoDecode] = Field(
        default=(),
        description="Names, separated by commas, to which the page answers; * is any.",
    )
    gateway_url: str = Field(
        default="http://127.0.0.1:8000",
        pattern=r"^https?://[^/\s]+$",
        description="Where the page finds the gateway: scheme, host and port, no path.",
    )
    api_key: str | None = Field(
        default=None,
        repr=False,
        pattern=r"^[\x21-\x7e]*$",
        description="The page's own key, where the gateway asks for one.",
    )
    timeout_s: float = Field(
        default=60,
        gt=0,
        description="Seconds of silence from the gateway before the page gives up.",
    )
    max_image_mb: int = Field(
        default=32, ge=1, description="Largest upload in MiB; keep it equal to the gateway's limit."
    )
    max_pixels: int = Field(
        default=25_000_000,
        ge=1,
        description="Most pixels the page decodes for a preview; large JPEGs are decoded smaller.",
    )

    @field_validator("hosts", mode="before")
    @classmethod
    def _separated(cls, value: object) -> object:
        if not isinstance(value, str):
            return value
        return [each.strip() for each in value.split(",") if each.strip()]
