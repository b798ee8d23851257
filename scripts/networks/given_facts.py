"""Facts about a model's input as a person gives them: flags, or keys of a file beside the weights.

Imports no torch, so that a command can show its help without.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any, Final, Literal, cast

from deeplab.spec import InputSize, Interpolation, Rounding

INTERPOLATIONS: Final = ("bilinear", "bicubic", "nearest")
RANGES: Final = ("0..1", "-1..1", "0..255")
SMALLEST, LARGEST = 32, 8192  # pixels, of a side of the network's input
LARGEST_UNIT: Final = 3.0  # a mean or deviation above it is of values 0..255
# Half a level of 255 would already be lost; 1/255 is what networks of 0..255 have.
SMALLEST_DEVIATION: Final = 1 / 512
LARGEST_MULTIPLE: Final = 256  # pixels
# With these fits a side is not bounded by its own length.
BOUND: Final = 2048
SIZE_HELP: Final = (
    "481 (long side), short=520, 512x512 (width x height, the picture is stretched) or native; "
    "/32 behind it rounds both sides to multiples of 32 (/32up and /32down: all in one direction)"
)

Vector = tuple[float, float, float]


class FactError(ValueError):
    """A fact that cannot be one; the text names it and says what would be."""


@dataclass(frozen=True)
class GivenFacts:
    """Facts as they were given, None where nothing was said.

    range: what the network's values lie in before mean and std are applied; mean and std are in its
    units, per channel in the order of the network.
    """

    size: str | None = None
    mean: str | None = None
    std: str | None = None
    range: str | None = None
    bgr: bool | None = None
    interpolation: str | None = None
    antialias: bool | None = None

    @property
    def flags(self) -> tuple[dict[str, str], list[str]]:
        """The flags with a value, and those without, that say the same to another process."""
        values, switches = dict[str, str](), list[str]()
        for each in fields(self):
            value = getattr(self, each.name)
            if isinstance(value, bool):
                switches.append(f"--{'' if value else 'no-'}{each.name}")
            elif value is not None:
                values[f"--{each.name}"] = value
        return values, switches

    def __bool__(self) -> bool:
        """Whether anything was said."""
        return any(getattr(self, each.name) is not None for each in fields(self))


NOTHING_GIVEN: Final = GivenFacts()
NAMES: Final = tuple(each.name for each in fields(GivenFacts))


def from_mapping(table: Mapping[str, Any], place: str) -> GivenFacts:
    """The facts among the keys of a file. Raises FactError for values of a wrong type."""
    texts: dict[str, Any] = {}
    for name in NAMES:
        value = table.get(name)
        if value is None:
            continue
        if name in ("bgr", "antialias"):
            if not isinstance(value, bool):
                raise FactError(f"{place}: {name} is true or false, not {value!r}")
            texts[name] = value
        elif isinstance(value, list):
            texts[name] = ",".join(map(str, value))
        else:
            texts[name] = str(value)
    return GivenFacts(**texts)


def parse_size(text: str) -> InputSize:
    """The size that a text such as "short=520/32" means. Raises FactError."""
    body, _, multiple_text = text.strip().lower().partition("/")
    steps = re.fullmatch(r"(.*?)(up|down|nearest)?", multiple_text)
    number, way = steps.groups() if steps else (multiple_text, None)
    multiple = _pixels(number or "1", text, least=1)
    rounding = cast("Rounding", way or "auto")
    if multiple > LARGEST_MULTIPLE:
        raise FactError(f"--size {text!r}: multiples are of 1 to {LARGEST_MULTIPLE} pixels")
    match = re.fullmatch(r"(?:(long|short)=)?(\d+)|(\d+)x(\d+)|native", body)
    if match is None:
        raise FactError(f"--size {text!r} is none of: {SIZE_HELP}")
    side, length, width, height = match.groups()
    if body == "native":
        return InputSize(BOUND, fit="native", multiple=multiple, rounding=rounding)
    if width:
        wide, high = _pixels(width, text), _pixels(height, text)
        return InputSize(max(wide, high), fit="fixed", width=wide, height=high, multiple=1)
    if side == "short":
        short = _pixels(length, text)
        return InputSize(
            max(BOUND, 3 * short),
            fit="short_side",
            short_side=short,
            multiple=multiple,
            rounding=rounding,
        )
    return InputSize(_pixels(length, text), multiple=multiple, rounding=rounding)


def _pixels(text: str, whole: str, least: int = SMALLEST) -> int:
    if text.isdecimal() and least <= (number := int(text[:6])) <= LARGEST:
        return number
    raise FactError(f"--size {whole!r}: {text or 'nothing'} is not in {least} to {LARGEST} pixels")


def parse_vector(text: str, flag: str) -> Vector:
    """Three numbers, or one for all three channels. Raises FactError."""
    parts = [part for part in re.split(r"[,\s]+", text.strip().strip("[]()")) if part]
    try:
        numbers = [float(part) for part in parts]
    except ValueError:
        numbers = []
    if len(numbers) == 1:
        numbers *= 3
    if len(numbers) != 3 or not all(abs(number) < 1e6 for number in numbers):
        raise FactError(f"{flag} {text!r} is not three numbers, such as 0.485,0.456,0.406")
    return cast("Vector", tuple(numbers))


def normalisation(given: GivenFacts, mean: Vector, std: Vector) -> tuple[Vector, Vector]:
    """(mean, std) per RGB channel for values in 0..1, given those that hold without the flags.

    Raises FactError.
    """
    scale = _scale(given.range)
    if given.range == "-1..1" and (given.mean or given.std):
        raise FactError("--range=-1..1 is a mean and a std of 0.5: give no others")
    if given.range is not None and given.mean is None and given.std is None:
        if given.range == "-1..1":
            return (0.5,) * 3, (0.5,) * 3
        return (0.0,) * 3, (1 / scale,) * 3
    if given.mean is not None:
        mean = _in_rgb(parse_vector(given.mean, "--mean"), scale, bgr=bool(given.bgr))
    if given.std is not None:
        std = _in_rgb(parse_vector(given.std, "--std"), scale, bgr=bool(given.bgr))
        if min(std) <= 0:
            raise FactError(f"--std {given.std!r}: a deviation is greater than 0")
    _check_units(given, scale, mean, std)
    if given.mean is not None and given.std is None:
        raise FactError("--mean needs --std beside it; --std 1 if there is none")
    return mean, std


def _check_units(given: GivenFacts, scale: float, mean: Vector, std: Vector) -> None:
    """Raise FactError for a mean of one range beside a --range that is another."""
    if given.mean is not None and scale == 1 and max(mean) > LARGEST_UNIT:
        raise FactError(f"--mean {given.mean!r} is of values 0..255: add --range 0..255")
    if given.std is not None and max(std) < SMALLEST_DEVIATION:
        where = "" if scale == 1 else " of values 0..255: leave --range out if it is of 0..1"
        raise FactError(f"--std {given.std!r} is too small{where}")


def _scale(text: str | None) -> float:
    if text is None or text in ("0..1", "1", "-1..1"):
        return 1.0
    if text in ("0..255", "255"):
        return 255.0
    raise FactError(f"--range {text!r} is none of {', '.join(RANGES)}")


def _in_rgb(vector: Vector, scale: float, *, bgr: bool) -> Vector:
    in_unit = tuple(value / scale for value in (vector[::-1] if bgr else vector))
    return cast("Vector", in_unit)


def interpolation_of(text: str) -> Interpolation:
    """The interpolation of that name. Raises FactError."""
    if text not in INTERPOLATIONS:
        raise FactError(f"--interpolation {text!r} is none of {', '.join(INTERPOLATIONS)}")
    return cast("Interpolation", text)


Channels = Literal["rgb", "bgr"]
