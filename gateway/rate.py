"""How a rate is written: a number of requests and the time in which they may come."""

from typing import Annotated

from pydantic import StringConstraints

Rate = Annotated[
    str, StringConstraints(pattern=r"^[1-9][0-9]{0,8}/(second|minute|hour|day)$", max_length=16)
]
