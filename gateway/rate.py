"""The notation of a rate limit: a number of requests per unit of time."""

from typing import Annotated

from pydantic import StringConstraints

Rate = Annotated[
    str, StringConstraints(pattern=r"^[1-9][0-9]{0,8}/(second|minute|hour|day)$", max_length=16)
]
