"""Logins at the usual cost of a hash against the bare hash on every processor; and what validations feel of them."""

import time

from .. import load
from ..paths import BUILT, say
from ..servers import PEOPLE, USUAL, Casque, hashed, output
from . import ratios, spread

# Validations offered in a second, far below what is possible.
OFFERED = 1000


def measure(timing):
    seconds = timing.seconds * 2
    password = next(iter(PEOPLE.values()))
    secrets = f"{password}\n{hashed(password, USUAL)}\n"
    logins, hashes, alone, beside, beside_logins = [], [], [], [], []
    with Casque("memory", cost=USUAL).start() as running:
        for _ in range(timing.rounds):
            hashes.append(float(output(BUILT / "hashes", "rate", seconds, input=secrets)))
            logins.append(load.rate_of(load.run("login", running, seconds, warm_up=timing.warm_up)))
            say(f"  logins {logins[-1]:.1f}/s, bare hashes {hashes[-1]:.1f}/s")
            time.sleep(timing.rest)
        # What one in a hundred waits for moves more than a throughput: more rounds than elsewhere.
        for _ in range(2 * timing.rounds):
            alone.append(p99(load.run("validate", running, seconds, warm_up=timing.warm_up, rate=OFFERED)))
            time.sleep(timing.rest)
            # Longer than the validations on both sides, so that these are never without them.
            saturating = load.begin("login", running, seconds + 4, warm_up=0, timeout=60)
            time.sleep(1)
            beside.append(p99(load.run("validate", running, seconds, warm_up=timing.warm_up, rate=OFFERED)))
            beside_logins.append(load.rate_of(load.report(saturating)))
            say(f"  p99 of validation {alone[-1]:.2f} ms alone, {beside[-1]:.2f} ms beside logins")
    return {
        "hash": {"memory_kib": USUAL[0], "passes": USUAL[1], "lanes": 1},
        "logins_per_second": spread(logins),
        "bare_hashes_per_second": spread(hashes),
        "share_of_the_bare_hash": ratios(logins, hashes),
        "validations_offered_per_second": OFFERED,
        "p99_ms_alone": spread(alone),
        "p99_ms_beside_logins": spread(beside),
        "times_the_p99_alone": ratios(beside, alone),
        "logins_per_second_beside": spread(beside_logins),
    }


def p99(report):
    load.rate_of(report)
    return report["latency_ms"]["p99"]
