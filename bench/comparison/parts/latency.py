"""Latency against load: operations begin at fixed moments, and waiting for a busy server counts."""

import math
import time

from .. import load
from ..paths import say
from ..process import DidNotStart
from ..servers import OURS, PEERS

SHARES = (0.1, 0.25, 0.45, 0.65, 0.8, 0.9)
# A point has at least so many operations, or takes this long.
OPERATIONS, LONGEST = 400, 6
# Enough to hold what waits; beyond that the driver says that it never sent some.
CONNECTIONS = 32


def measure(timing):
    found = {}
    for contestant in [*OURS, *PEERS]:
        reason = contestant.missing()
        if reason:
            say(f"left out: {contestant.title}: {reason}")
            found[contestant.title] = {"left_out": reason}
            continue
        try:
            found[contestant.title] = curve(contestant, timing)
        except (DidNotStart, load.NotMeasured) as error:
            found[contestant.title] = {"left_out": str(error)}
            say(f"left out: {contestant.title}: {error}")
    return found


def curve(contestant, timing):
    """Points up to where the server no longer keeps up; its greatest throughput is found first."""
    with contestant.start() as running:
        most = load.rate_of(load.run("sso", running, timing.seconds, warm_up=1))
        points = []
        for share in SHARES if timing.rounds > 1 else SHARES[::2]:
            rate = max(1, round(most * share))
            options = {"warm_up": 0, "rate": rate, "connections": CONNECTIONS, "timeout": 10}
            seconds = max(timing.seconds, min(LONGEST, math.ceil(OPERATIONS / rate))) if timing.rounds > 1 else 1
            report = load.run("sso", running, seconds, **options)
            reached = load.rate_of(report)
            points.append({"offered": rate, "reached": reached, **report["latency_ms"]})
            # It has fallen behind: what comes after says nothing more.
            if reached < 0.95 * rate:
                break
            time.sleep(timing.rest)
    said = ", ".join(f"{point['p99']:.1f} ms at {point['offered']:,}/s" for point in points)
    say(f"  {contestant.title}: p99 {said}")
    return {"closed_loop_per_second": most, "points": points}
