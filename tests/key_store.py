"""The key store of a gateway, whose data folder is the given one."""

from pathlib import Path

from gateway.keys.store import KeyStore, open_store
from gateway.state_settings import StateSettings


def key_store(folder: Path) -> KeyStore:
    """The store of a gateway with this folder as SEGSERVE_GATEWAY_DATA_DIR."""
    return open_store(StateSettings(data_dir=folder, database_url=None, keys_file=None))


def folder_of(store: KeyStore) -> Path:
    """The data folder of a store that `key_store` opened."""
    assert store.database.file is not None
    return store.database.file.parent
