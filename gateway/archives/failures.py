"""Translation of the failures of disks and object stores to one line of the gateway's."""

import errno
from typing import Final

from gateway.errors import StoreUnavailableError

_FULL: Final = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
_LOCKED: Final = (errno.EROFS, errno.EACCES, errno.EPERM)
# Packages of object stores, which need not be installed: their errors have no common class.
_CLIENTS: Final = frozenset(
    ("fsspec", "s3fs", "botocore", "aiobotocore", "aiohttp", "gcsfs", "google", "adlfs", "azure")
)
# Of an object store's message: it may hold a whole document.
_SHOWN_CHARACTERS: Final = 200


class DamagedArchiveError(StoreUnavailableError):
    """The store's copy of an archive has other bytes than its name says."""


def is_of_store(failure: Exception) -> bool:
    """Whether the disk or an object store failed; anything else is a fault of the program."""
    packages = {kind.__module__.partition(".")[0] for kind in type(failure).__mro__}
    return isinstance(failure, OSError) or not _CLIENTS.isdisjoint(packages)


def from_failure(failure: Exception, store: str) -> StoreUnavailableError:
    """Return the error for a failure at the store. store: its address, without secrets."""
    number = failure.errno if isinstance(failure, OSError) else None
    if number in _FULL:
        return StoreUnavailableError(f"The archive store {store} is full. Make room and try again.")
    if number in _LOCKED or isinstance(failure, PermissionError):
        return StoreUnavailableError(
            f"The archive store {store} refuses the gateway. Give it the right to read and write."
        )
    if isinstance(failure, FileNotFoundError | NotADirectoryError):
        return StoreUnavailableError(f"The archive store {store} is gone. Bring it back.")
    words = " ".join(str(failure).split())[:_SHOWN_CHARACTERS] or type(failure).__name__
    return StoreUnavailableError(f"The archive store {store} does not respond: {words}")
