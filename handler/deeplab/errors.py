"""Errors of the image policy, each with its HTTP status and error code."""


class RejectedImageError(Exception):
    """Base of the image policy's errors.

    RejectedImageError
    |-- UnreadableImageError      422 unreadable_image
    |-- UnsupportedFormatError    415 unsupported_format
    |-- TooManyPixelsError        413 too_many_pixels
    |-- TooManyTilesError         422 invalid_request
    `-- TooSlowTilesError         504 deadline_exceeded
    """

    status: int
    code: str


class NotANumberError(Exception):
    """The network computed NaN or infinity: its weights are broken, not the image."""


class UnreadableImageError(RejectedImageError):
    """The bytes are not an image, or a damaged one."""

    status, code = 422, "unreadable_image"


class UnsupportedFormatError(RejectedImageError):
    """An image or document in a format that is not accepted."""

    status, code = 415, "unsupported_format"


class TooManyTilesError(RejectedImageError):
    """Tiles so small that the image would need more of them than one image may have."""

    status, code = 422, "invalid_request"


class TooSlowTilesError(RejectedImageError):
    """The tiles take longer than the client waits."""

    status, code = 504, "deadline_exceeded"


class TooManyPixelsError(RejectedImageError):
    """More pixels than the limit, or so many that the rendered result cannot be sent."""

    status, code = 413, "too_many_pixels"
