"""What Redis' own round trips would allow, and whether several nodes on one Redis cost more than one."""

import contextlib
import re
import subprocess
import time

from .. import load, stores
from ..paths import say
from ..servers import Casque, temporary
from . import ratios, spread

# Connections of the load, and of redis-benchmark beside it. Commands of several people travel together: the more of
# them, the more so.
CONNECTIONS = (load.CONNECTIONS, 4 * load.CONNECTIONS, 16 * load.CONNECTIONS)
# Operations of the two runs whose difference says what one operation asks of Redis.
COUNTED = (500, 1500)
# Commands of redis-benchmark for each second that a load takes: it does twice as many or more.
COMMANDS = 20_000
NODES = 3
# What all nodes together are offered, of what one does at most: far enough below it that nothing waits.
OFFERED = 0.3


def measure(timing):
    reason = stores.missing("Redis")
    if reason:
        say(f"left out: Redis: {reason}")
        return {"left_out": reason}
    with temporary() as folder, stores.Redis(folder) as store:
        with node(folder / "one", store) as running:
            commands, examples = count(running, store)
            say("  commands of an operation: " + ", ".join(f"{number:.2f} {name}" for name, number in commands.items()))
            over = {str(number): compare(running, store, commands, examples, number, timing) for number in CONNECTIONS}
        found = {"commands_per_operation": commands, "over_connections": over}
        offered = max(NODES, round(over[str(CONNECTIONS[0])]["reached_per_second"]["median"] * OFFERED))
        return found | {"nodes": compare_nodes(folder, store, offered, timing)}


def compare(running, store, commands, examples, connections, timing):
    """What an operation's commands would allow over so many connections, and what is reached."""
    allowed, reached, by_command = [], [], {name: [] for name in commands}
    # Both move with the machine: short runs next to each other, and more rounds than elsewhere.
    for _ in range(2 * timing.rounds):
        rates = {name: benchmark(store, examples[name], connections, timing) for name in commands}
        allowed.append(1 / sum(number / rates[name] for name, number in commands.items()))
        for name, rate in rates.items():
            by_command[name].append(rate)
        options = {"warm_up": timing.warm_up, "connections": connections}
        reached.append(load.rate_of(load.run("sso", running, timing.seconds, **options)))
        say(f"  {connections} connections: {reached[-1]:,.0f} operations/s; its round trips allow {allowed[-1]:,.0f}/s")
        time.sleep(timing.rest)
    return {
        "redis_benchmark_per_second": {name: spread(rates) for name, rates in by_command.items()},
        "allowed_per_second": spread(allowed),
        "reached_per_second": spread(reached),
        "share": ratios(reached, allowed),
    }


@contextlib.contextmanager
def node(folder, store):
    """A node of a cluster: the folder of the first is copied, so that key, people and services are the same."""
    contestant = Casque("Redis")
    folder.mkdir(exist_ok=True)
    first = folder.parent / "one"
    contestant.prepare(folder, store)
    if folder != first:
        for name in ("casque.key", "people.toml"):
            (folder / name).write_bytes((first / name).read_bytes())
            (folder / name).chmod(0o600)
    with contestant.launch(folder, store) as running:
        yield running


def count(running, store):
    """Commands of one operation by name, those that a script runs left out, and an example of each."""
    few, many = (commands_of(running, store, number) for number in COUNTED)
    each = COUNTED[1] - COUNTED[0]
    numbers = {name: (len(lines) - len(few.get(name, []))) / each for name, lines in many.items()}
    numbers = {name: number for name, number in sorted(numbers.items()) if number > 0.005}
    return numbers, {name: many[name][-1] for name in numbers}


def commands_of(running, store, number):
    monitor = subprocess.Popen(
        ["redis-cli", "-p", str(store.port), "MONITOR"], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )
    try:
        monitor.stdout.readline()
        load.run("sso", running, 60, warm_up=0, count=number, sessions=8)
        store.ask("ECHO", "the end")
        asked, inside = [], {}
        for line in monitor.stdout:
            if '"the end"' in line:
                break
            found = re.match(r"[\d.]+ \[\d+ (\S+)\] (.*)", line)
            words = read_words(found[2]) if found else None
            if not words:
                continue
            if found[1] == "lua":
                inside.setdefault(asked[-1][1], {})[words[0].upper()] = None
            else:
                asked.append(words)
        seen = {}
        for words in asked:
            seen.setdefault(name_of(words, inside), []).append(words)
        return seen
    finally:
        monitor.terminate()
        monitor.wait()


def read_words(text):
    """What MONITOR shows, with a letter for each byte that no argument of a program can hold."""
    return [re.sub(r"\\x[0-9a-f]{2}|\\.", "x", word) for word in re.findall(r'"((?:[^"\\]|\\.)*)"', text)]


def name_of(words, inside):
    """Scripts are told apart by the commands that they run."""
    name = words[0].upper()
    return f"{name} ({', '.join(inside.get(words[1], {}))})" if name == "EVALSHA" else name


def benchmark(store, words, connections, timing):
    """How many of a command redis-benchmark does in a second, over as many connections as the load has."""
    words = list(words)
    if words[0].upper() in ("SET", "GETDEL"):
        # Another key each time, as tickets are.
        words[1] = words[1][:-12] + "__rand_int__"
    number = COMMANDS * timing.seconds
    if words[0].upper() == "GETDEL":
        redis_benchmark(store, ["SET", words[1], "x" * 300, "PX", "600000"], connections, number)
    return redis_benchmark(store, words, connections, number)


def redis_benchmark(store, words, connections, number):
    command = ["redis-benchmark", "-p", str(store.port), "-c", str(connections), "-n", str(number)]
    command += ["-r", "1000000", "--csv", *words]
    out = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    # The last seven columns are figures; what comes before is the command, whatever is in it.
    return float(out.splitlines()[-1].rsplit('","', 7)[1])


def compare_nodes(folder, store, offered, timing):
    """Processor time of one operation, of all nodes and of Redis: on one node, on three that share its load, and on one
    that has as much of it as each of the three."""
    seconds = timing.seconds + 2
    cases = {"one": (1, offered), "three": (NODES, offered), "a_third": (1, offered // NODES)}
    costs = {name: [] for name in cases}
    with contextlib.ExitStack() as stack:
        nodes = [stack.enter_context(node(folder / name, store)) for name in ("one", "two", "three")]
        # Differences are small and the machine is not steady: more rounds than elsewhere, in turns.
        for number in range(2 * timing.rounds):
            for name in cases if number % 2 == 0 else reversed(cases):
                used, rate = cases[name]
                costs[name].append(cost(nodes[:used], store, rate, seconds))
                time.sleep(timing.rest)
    medians = {name: spread(found)["median"] for name, found in costs.items()}
    say("  µs of processor for an operation: " + ", ".join(f"{value:.0f} {name}" for name, value in medians.items()))
    return {
        "offered_per_second": offered,
        "microseconds": {name: spread(found) for name, found in costs.items()},
        "more_at_the_same_rate": ratios(costs["three"], costs["one"]),
        "more_at_the_same_rate_each": ratios(costs["three"], costs["a_third"]),
    }


def cost(nodes, store, offered, seconds):
    loads = []
    processes = [store, *(running.process for running in nodes)]
    before = sum(process.processor_seconds() for process in processes)
    for running in nodes:
        rate = offered // len(nodes)
        loads.append(load.begin("sso", running, seconds, warm_up=0, rate=rate, connections=load.CONNECTIONS))
    reports = [load.report(process) for process in loads]
    after = sum(process.processor_seconds() for process in processes)
    return (after - before) * 1e6 / sum(load.rate_of(report) * report["seconds"] for report in reports)
