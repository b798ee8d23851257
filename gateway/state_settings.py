"""The settings of the gateway's state: where it keeps what must survive a restart."""

from pathlib import Path
from typing import Self

from pydantic import Field, SecretStr, field_validator, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

_ROOT = Path(__file__).resolve().parent.parent
_DATABASE = "registry.sqlite3"
_ARCHIVES = "archives"
_SCHEMES = ("sqlite:///", "postgresql://", "postgresql+psycopg://")


class StateSettings(BaseSettings):
    """Where the state is kept; each setting is an environment variable SEGSERVE_GATEWAY_<NAME>."""

    # Error messages do not repeat a rejected value: it could be a password.
    model_config = SettingsConfigDict(
        env_prefix="SEGSERVE_GATEWAY_",
        frozen=True,
        hide_input_in_errors=True,
        populate_by_name=True,
    )

    data_dir: Path = Field(
        default=_ROOT / "data",
        description="Folder of the state: the database, unless database_url names one.",
    )
    database_url: SecretStr | None = Field(
        default=None,
        description="postgresql://USER:PASSWORD@HOST/NAME, or sqlite:///FILE; a file in data_dir.",
    )
    store_url: SecretStr | None = Field(
        default=None,
        description="Archives of versions: a folder, or s3://BUCKET/PREFIX; a folder in data_dir.",
    )
    max_archive_bytes: int = Field(
        default=2 * 1024**3, ge=1, description="Largest archive of a version in bytes."
    )
    node_token: SecretStr | None = Field(
        default=None,
        description="Token that agents must show; without, the one in data_dir, made at the start.",
    )
    node_token_file: Path | None = Field(
        default=None, description="File of that token, where agents read it; one in data_dir."
    )
    keys_file: Path | None = Field(
        default=None,
        description="The file of the keys of former versions, which moves into the database.",
    )

    @property
    def database_address(self) -> str:
        """The database's URL, with its password."""
        if self.database_url is None:
            return f"sqlite:///{self.data_dir.absolute() / _DATABASE}"
        return self.database_url.get_secret_value()

    @property
    def store_address(self) -> str:
        """The archive store's folder or URL, which may have a password."""
        if self.store_url is None:
            return str(self.data_dir.absolute() / _ARCHIVES)
        return self.store_url.get_secret_value()

    @property
    def node_token_address(self) -> Path:
        """The file of the agents' token."""
        return self.node_token_file or self.data_dir / "node-token"

    @property
    def former_keys(self) -> Path | None:
        """The file of the keys of former versions, if the gateway takes it over."""
        # A gateway with a folder of its own, such as a second one, is not the one that had them.
        own = self.data_dir == _ROOT / "data"
        return self.keys_file or (_ROOT / ".run" / "keys.json" if own else None)

    @field_validator(
        "database_url", "store_url", "node_token", "node_token_file", "keys_file", mode="before"
    )
    @classmethod
    def _unset_if_empty(cls, value: object) -> object:
        return value or None

    @model_validator(mode="after")
    def _database_is_known(self) -> Self:
        if not self.database_address.startswith(_SCHEMES):
            raise ValueError(f"database_url begins with one of {', '.join(_SCHEMES)}")
        return self
