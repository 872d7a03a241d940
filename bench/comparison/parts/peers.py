"""Each server by itself, one after the other, in rounds: the table of docs/performance.md."""

import time

from .. import load
from ..paths import say
from ..process import DidNotStart
from ..servers import OURS, PEERS, Bare
from . import spread

LOADS = ("validate", "sso", "login")


def measure(timing, only=None):
    found = {}
    contestants = [contestant for contestant in [Bare(), *OURS, *PEERS] if not only or only in contestant.title]
    for contestant in contestants:
        found[contestant.title] = about(contestant)
    for number in range(timing.rounds):
        for contestant in contestants:
            mine = found[contestant.title]
            if "left_out" in mine:
                continue
            say(f"round {number + 1}: {contestant.title}")
            try:
                one_round(contestant, timing, mine)
            except (DidNotStart, OSError) as error:
                mine["left_out"] = str(error).splitlines()[-1] if str(error) else type(error).__name__
                say(f"left out: {contestant.title}: {mine['left_out']}")
    for mine in found.values():
        rounds = mine.pop("rounds")
        mine["figures"] = {name: spread(values) for name, values in rounds.items() if values}
    return found


def about(contestant):
    mine = {"store": contestant.store, "survives_restart": contestant.survives, "settings": contestant.settings}
    mine["rounds"] = {name: [] for name in [*LOADS, "first_200_ms", "idle_mib", "loaded_mib", "store_mib"]}
    reason = contestant.missing()
    if reason:
        say(f"left out: {contestant.title}: {reason}")
        return mine | {"left_out": reason}
    return mine | {"version": contestant.version()}


def one_round(contestant, timing, mine):
    rounds = mine["rounds"]
    with contestant.start() as running:
        time.sleep(1)
        rounds["first_200_ms"].append(running.seconds_to_login * 1000)
        rounds["idle_mib"].append(running.mib()[0])
        for kind in LOADS:
            try:
                rate = load.rate_of(load.run(kind, running, timing.seconds, warm_up=timing.warm_up))
                say(f"  {kind}: {rate:,.0f}/s")
                rounds[kind].append(rate)
            except load.NotMeasured as error:
                say(f"  {kind}: not measured: {error}")
                mine.setdefault("not_measured", {})[kind] = str(error)
            time.sleep(timing.rest)
        own, of_store = running.mib()
        rounds["loaded_mib"].append(own)
        rounds["store_mib"].append(of_store)
