"""Validation against a bare handler that answers the same bytes: pairs of runs, each next to the other in time."""

import time

from .. import load
from ..paths import say
from ..servers import Bare, Casque
from . import ratios, spread


def measure(timing):
    casque, bare = [], []
    with Bare().start() as floor, Casque("memory").start() as ours:
        # Both move with the machine, and their quotient with them: more rounds than elsewhere, in turns.
        for number in range(2 * timing.rounds):
            pair = ((bare, floor), (casque, ours))
            for rates, running in pair if number % 2 == 0 else reversed(pair):
                rates.append(load.rate_of(load.run("validate", running, timing.seconds, warm_up=timing.warm_up)))
                time.sleep(timing.rest)
            say(f"  validations {casque[-1]:,.0f}/s, bare handler {bare[-1]:,.0f}/s")
    return {
        "validations_per_second": spread(casque),
        "bare_handler_per_second": spread(bare),
        "share_of_the_bare_handler": ratios(casque, bare),
    }
