"""Why bytes are not taken as a picture, each with its status and code."""


class RejectedImageError(Exception):
    """Base of the image policy's refusals.

    RejectedImageError
    |-- UnreadableImageError      422 unreadable_image
    |-- UnsupportedFormatError    415 unsupported_format
    `-- TooManyPixelsError        413 too_many_pixels
    """

    status: int
    code: str


class UnreadableImageError(RejectedImageError):
    """The bytes are no picture, or a damaged one."""

    status, code = 422, "unreadable_image"


class UnsupportedFormatError(RejectedImageError):
    """A picture or document, but in a format that we do not take."""

    status, code = 415, "unsupported_format"


class TooManyPixelsError(RejectedImageError):
    """More pixels than the limit, or so many that what was drawn on them cannot be sent."""

    status, code = 413, "too_many_pixels"
