"""What is measured, a module for each question. Each has `measure(timing)`, which gives what goes into the JSON."""

import dataclasses
import statistics


@dataclasses.dataclass(frozen=True)
class Timing:
    """How long and how often; whole seconds."""

    rounds: int
    seconds: int
    warm_up: int
    rest: float


REAL = Timing(rounds=3, seconds=3, warm_up=1, rest=0.5)
QUICK = Timing(rounds=1, seconds=1, warm_up=0, rest=0)


def spread(values):
    """Median, lowest, highest."""
    values = [value for value in values if value is not None]
    if not values:
        return None
    return {"median": statistics.median(values), "lowest": min(values), "highest": max(values), "rounds": len(values)}


def ratios(ours, theirs):
    """Of pairs of runs, each next to the other in time."""
    return spread([our / their for our, their in zip(ours, theirs, strict=True)])
