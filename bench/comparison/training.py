"""What casque does while it is counted what it does: each load, on each store that is here.

Run as `CASQUE_PROGRAMS=FOLDER python3 -m comparison.training`.
"""

from . import load
from .paths import BUILT, say
from .servers import OURS, PEOPLE, USUAL, Bare, Casque, Live, hashed, output

SECONDS = 3
# Of those of a campus: some log out, some mistype their password.
PEOPLE_A_SECOND = 20


def main():
    for contestant in OURS:
        reason = contestant.missing()
        if reason:
            say(f"  not trained on {contestant.store}: {reason}")
        else:
            train(contestant, "login", "sso", "validate", "campus")
    train(Casque("memory", cost=USUAL), "login")
    if (BUILT / "bare").exists():
        train(Bare(), "login", "sso", "validate")
        train(Live(1000), "sso")
    password = next(iter(PEOPLE.values()))
    output(BUILT / "hashes", "rate", SECONDS, input=f"{password}\n{hashed(password, USUAL)}\n")


def train(contestant, *loads):
    say(f"  {contestant.title}: {', '.join(loads)}")
    with contestant.start() as running:
        for kind in loads:
            rate = PEOPLE_A_SECOND if kind == "campus" else None
            load.rate_of(load.run(kind, running, SECONDS, warm_up=0, rate=rate))


main()
