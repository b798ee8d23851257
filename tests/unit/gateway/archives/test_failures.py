"""Every failure of a store becomes one line that names the store and what to do."""

import errno
import os

import aiohttp
import pytest
from fsspec.exceptions import BlocksizeMismatchError, FSTimeoutError

from gateway.archives.failures import from_failure, is_of_store


@pytest.mark.parametrize(
    ("failure", "words"),
    [
        *(
            (OSError(n, os.strerror(n)), "is full")
            for n in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
        ),
        *(
            (OSError(n, os.strerror(n)), "refuses the gateway")
            for n in (errno.EROFS, errno.EACCES, errno.EPERM)
        ),
        (PermissionError("Access Denied"), "refuses the gateway"),
        (FileNotFoundError(errno.ENOENT, "x"), "is gone"),
        (FileNotFoundError("The specified bucket does not exist"), "is gone"),
        (NotADirectoryError(errno.ENOTDIR, "x"), "is gone"),
        (
            OSError(errno.EIO, "Input/output error"),
            "does not respond: [Errno 5] Input/output error",
        ),
        (RuntimeError("two\n lines"), "does not respond: two lines"),
        (TimeoutError(), "does not respond: TimeoutError"),
        (ValueError("x" * 5000), "x" * 200),
    ],
)
def test_a_failure_is_one_line(failure: Exception, words: str) -> None:
    """Of bounded length."""
    detail = from_failure(failure, "s3://bucket/a").detail
    assert detail.startswith("The archive store s3://bucket/a ")
    assert words in detail
    assert "\n" not in detail
    assert len(detail) < 300


class ClientError(Exception):
    """As botocore, which need not be installed, has it."""

    __module__ = "botocore.exceptions"


class AccessDeniedError(ClientError):
    """A kind of it that botocore makes at run time."""

    __module__ = "somewhere"


@pytest.mark.parametrize(
    "failure",
    [
        OSError(errno.EIO, "x"),
        TimeoutError(),
        ConnectionResetError(),
        FSTimeoutError(),
        BlocksizeMismatchError(),
        aiohttp.ClientPayloadError("x"),
        ClientError(),
        AccessDeniedError(),
    ],
    ids=repr,
)
def test_failures_of_disks_and_clients_are_the_stores(failure: Exception) -> None:
    """The user can do something about them."""
    assert is_of_store(failure)


@pytest.mark.parametrize("failure", [KeyError("x"), ValueError("x"), AttributeError("x")], ids=repr)
def test_faults_of_the_program_are_not(failure: Exception) -> None:
    """They must be seen, with their traceback."""
    assert not is_of_store(failure)
