"""The settings of the gateway's state."""

from pathlib import Path

import pytest
from pydantic import ValidationError

from gateway.state_settings import StateSettings

ROOT = Path(__file__).parents[3]


def test_the_default_is_a_file_in_the_checkout() -> None:
    """`make clean` leaves it, and git ignores it."""
    settings = StateSettings.model_validate(StateSettings.model_construct().model_dump())
    assert settings.database_address == f"sqlite:///{ROOT}/data/registry.sqlite3"
    assert settings.former_keys == ROOT / ".run" / "keys.json"
    assert "/data/" in (ROOT / ".gitignore").read_text().split()


def test_a_folder_of_its_own_has_no_former_keys(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """A second gateway does not take the keys of the first, unless they are named."""
    monkeypatch.setenv("SEGSERVE_GATEWAY_DATA_DIR", str(tmp_path))
    assert StateSettings().database_address == f"sqlite:///{tmp_path}/registry.sqlite3"
    assert StateSettings().former_keys is None
    monkeypatch.setenv("SEGSERVE_GATEWAY_KEYS_FILE", "/srv/keys.json")
    assert StateSettings().former_keys == Path("/srv/keys.json")


def test_a_url_comes_before_the_folder(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its password is in no representation; an empty variable is none."""
    monkeypatch.setenv("SEGSERVE_GATEWAY_DATABASE_URL", "postgresql://me:secret@db.test/segserve")
    settings = StateSettings()
    assert settings.database_address == "postgresql://me:secret@db.test/segserve"
    assert "secret" not in repr(settings)
    monkeypatch.setenv("SEGSERVE_GATEWAY_DATABASE_URL", "")
    assert StateSettings().database_address.startswith("sqlite:///")


def test_archives_are_in_the_folder_or_in_a_store(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """A store's address may have a password, which is in no representation."""
    monkeypatch.setenv("SEGSERVE_GATEWAY_DATA_DIR", str(tmp_path))
    assert StateSettings().store_address == f"{tmp_path}/archives"
    monkeypatch.setenv("SEGSERVE_GATEWAY_STORE_URL", "s3://me:secret@models/segserve")
    assert StateSettings().store_address == "s3://me:secret@models/segserve"
    assert "secret" not in repr(StateSettings())
    monkeypatch.setenv("SEGSERVE_GATEWAY_STORE_URL", "")
    assert StateSettings().store_address == f"{tmp_path}/archives"


@pytest.mark.parametrize("url", ["mysql://me:secret@host/db", "secret", "sqlite://"])
def test_another_database_is_refused_without_repeating_it(
    monkeypatch: pytest.MonkeyPatch, url: str
) -> None:
    """The message names the databases that there are."""
    monkeypatch.setenv("SEGSERVE_GATEWAY_DATABASE_URL", url)
    with pytest.raises(ValidationError, match="postgresql://") as error:
        StateSettings()
    assert "secret" not in str(error.value)
