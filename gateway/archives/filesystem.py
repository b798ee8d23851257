"""The file system under the archive store: the only module that knows fsspec and its kinds."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

import fsspec
from fsspec.implementations.local import LocalFileSystem

from gateway.archives.spool import Incoming, PartialFile, remove_abandoned, rename_durably
from gateway.errors import StoreUnavailableError

# Other gateways add and delete too, so no listing is remembered; a dead server is noticed soon.
_OPTIONS: Final[dict[str, dict[str, Any]]] = {
    "s3": {
        "use_listings_cache": False,
        "config_kwargs": {
            "connect_timeout": 5,
            "read_timeout": 20,
            "retries": {"max_attempts": 1},
        },
    }
}
# A multipart upload that began so long ago is abandoned; newer ones may be other gateways'.
ABANDONED: Final = timedelta(hours=1)
_READ_AHEAD: Final = 4 * 1024 * 1024


class Filesystem:
    """Blocking calls on a store's files. Raises what its libraries raise."""

    def __init__(self, url: str, spool: Path) -> None:
        self.url = url.rstrip("/") or "/"
        self.shown = _without_secrets(self.url)
        kind = urlsplit(url).scheme if "://" in url else "file"
        try:
            self._fs, self._root = fsspec.core.url_to_fs(
                self.url, skip_instance_cache=True, **_OPTIONS.get(kind, {})
            )
        except (ValueError, ImportError) as exc:
            raise StoreUnavailableError(
                f"The archive store {self.shown} cannot be used: {exc}. "
                "Check SEGSERVE_GATEWAY_STORE_URL."
            ) from exc
        self.is_folder = isinstance(self._fs, LocalFileSystem)
        self._spool = Path(self._root) if self.is_folder else spool

    def prepare(self) -> None:
        """Make the folders, and remove what was left by gateways that were killed."""
        self._spool.mkdir(parents=True, exist_ok=True)
        remove_abandoned(self._spool)
        if hasattr(self._fs, "list_multipart_uploads"):
            self._abort_abandoned_uploads()

    def partial(self) -> PartialFile:
        """Create a file in which an archive arrives."""
        return PartialFile(self._spool)

    def path(self, key: str) -> str:
        """Return the path of a key below the root."""
        return f"{self._root}/{key}"

    def blob(self, sha256: str) -> str:
        """Return the path of an archive, whether it is there or not."""
        return self.path(f"{sha256}.mar")

    def keep(self, incoming: Incoming) -> str:
        """Put an archive under its final name, whole or not at all; return its path."""
        path = self.blob(incoming.sha256)
        if self.is_folder:
            rename_durably(incoming.path, Path(path))
            return path
        self._fs.put_file(str(incoming.path), path)
        if self.size(path) != incoming.size:
            raise OSError("the archive did not arrive whole")
        return path

    def size(self, path: str) -> int | None:
        """Return the size of a file in bytes, None if there is none; a lost folder is an error."""
        # Not `exists`, which takes any failure for a no.
        try:
            facts = self._fs.info(path)
        except FileNotFoundError:
            if self.is_folder:
                self._fs.info(self._root)
            return None
        return int(facts["size"]) if facts["type"] == "file" else None

    def open(self, path: str) -> Any:
        """Open a file for reading."""
        return self._fs.open(path, "rb", block_size=_READ_AHEAD)

    def delete(self, sha256: str) -> None:
        """Delete an archive, if there is one."""
        path = self.blob(sha256)
        if self.size(path) is not None:
            self._fs.rm_file(path)

    def _abort_abandoned_uploads(self) -> None:
        """Abort uploads of parts of an S3 store, which would cost until the end of days."""
        bucket, _, folder = self._root.partition("/")
        prefix = f"{folder}/" if folder else ""
        now = datetime.now(UTC)
        for upload in self._fs.list_multipart_uploads(bucket):
            if upload["Key"].startswith(prefix) and now - upload["Initiated"] > ABANDONED:
                names = {"Key": upload["Key"], "UploadId": upload["UploadId"]}
                self._fs.call_s3("abort_multipart_upload", Bucket=bucket, **names)


def _without_secrets(url: str) -> str:
    head, mark, rest = url.partition("://")
    if not mark:
        return url
    host, slash, path = rest.partition("/")
    return f"{head}{mark}{host.rpartition('@')[2]}{slash}{path.partition('?')[0]}"
