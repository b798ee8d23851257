"""Errors of the image policy, each with its HTTP status and error code."""


class RejectedImageError(Exception):
    """Base of the image policy's errors.

    RejectedImageError
    |-- UnreadableImageError      422 unreadable_image
    |-- UnsupportedFormatError    415 unsupported_format
    `-- TooManyPixelsError        413 too_many_pixels
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


class TooManyPixelsError(RejectedImageError):
    """More pixels than the limit, or so many that the rendered result cannot be sent."""

    status, code = 413, "too_many_pixels"
