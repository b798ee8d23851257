"""How the learning rate goes: up in a warm-up, then down to zero as a power of what is left."""

POWER = 0.9  # the "poly" schedule of DeepLab
WARM_UP_SHARE = 10  # at most one step in so many: a small folder has few


def warm_up_steps(steps: int, most: int) -> int:
    """How many of ``steps`` are warm-up."""
    return min(most, steps // WARM_UP_SHARE)


def factor(step: int, steps: int, warm_up: int) -> float:
    """What the learning rate is multiplied with at ``step`` of ``steps``, 0..1."""
    if step < warm_up:
        return (step + 1) / (warm_up + 1)
    left = 1 - (step - warm_up) / max(steps - warm_up, 1)
    return float(max(left, 0.0) ** POWER)


def average_decay(step: int, most: float) -> float:
    """Share of the old value in the weights' average; small at first, to forget the start."""
    return min(most, (1 + step) / (10 + step))
