"""Writes what was measured into docs/performance.md, between the marks that are there."""

from .paths import DOCS

PAGE = DOCS / "performance.md"
PICTURES = {
    "throughput-against-sessions": "Tickets and validations per second against live sessions in the store",
    "latency-against-load": "Latency against operations per second",
}


def write(found):
    text = PAGE.read_text()
    blocks = {"machine": machine(found), "peers": peers(found), "goals": goals(found), "redis": redis(found)}
    blocks |= {name: f"![{words}](performance/{name}.svg)" for name, words in PICTURES.items()}
    for name, block in blocks.items():
        begin, end = f"<!-- {name} -->\n", f"<!-- /{name} -->"
        before, found_it, rest = text.partition(begin)
        _, ended, after = rest.partition(end)
        if not found_it or not ended:
            raise SystemExit(f"{PAGE} has no place for {name}: {begin.strip()} … {end}")
        text = f"{before}{begin}\n{block.strip()}\n\n{end}{after}"
    PAGE.write_text(text)


def machine(found):
    of = found["machine"]
    count = {1: "One core", 2: "Two cores"}.get(of["processors"], f"{of['processors']} cores")
    processor = of["processor"].removesuffix(" Processor")
    return (
        f"{count} of an {processor}, {of['memory_gib']} GiB, {of['system']}; casque at commit {of['commit']}, "
        f"Rust {of['rust']}, built {of['built']}. {of_timing(found['timing'])}"
    )


def of_timing(timing):
    rounds = {2: "two", 3: "three"}.get(timing["rounds"], timing["rounds"])
    return f"Medians of {rounds} rounds of {timing['seconds']} seconds, the lowest and highest in brackets."


def number(value):
    if value >= 1000:
        return f"{value:,.0f}"
    # Ratios are about one, and goals have two decimals there.
    return f"{value:.0f}" if value >= 20 else f"{value:.1f}" if value >= 2 else f"{value:.2f}"


def shown(spread, unit=""):
    if not spread:
        return ""
    ends = f" ({number(spread['lowest'])}–{number(spread['highest'])})" if spread["rounds"] > 1 else ""
    return f"{number(spread['median'])}{unit}{ends}"


def peers(found):
    head = ["server", "its sessions", "validations/s", "SSO ticket + validation/s", "full logins/s"]
    head += ["MiB idle", "MiB after", "store's MiB", "first 200, ms"]
    rows = [head, ["---"] * 2 + ["---:"] * 7]
    notes, left_out = [], []
    for title, of in found["peers"].items():
        if "left_out" in of:
            left_out.append(f"- {title} was left out: {of['left_out']}.")
            continue
        figures = of["figures"]
        keep = f"{of['store']}, kept" if of["survives_restart"] else f"{of['store'] or 'none'}, lost"
        row = [title, keep if of["store"] else "none"]
        row += [shown(figures.get(name)) for name in ("validate", "sso", "login")]
        row += [shown(figures.get(name)) for name in ("idle_mib", "loaded_mib", "store_mib", "first_200_ms")]
        rows.append(row)
        words = "; ".join(filter(None, [of["version"], of["settings"]]))
        gaps = "".join(f" Once not measured, {kind}: {reason}." for kind, reason in of.get("not_measured", {}).items())
        notes.append(f"- {title}: {words}.{gaps}")
    table = "\n".join("| " + " | ".join(row) + " |" for row in rows)
    return "\n".join([table, "", *notes, *left_out])


def best(found, figure, among):
    """The greatest median of a figure among some servers, and whose it is."""
    have = [
        (of["figures"][figure]["median"], title)
        for title, of in found["peers"].items()
        if "left_out" not in of and figure in of["figures"] and among(title, of)
    ]
    return max(have, default=None)


def goals(found):
    rows = [["what", "goal", "measured", ""], ["---"] * 4]
    for what, goal, measured, good in judged(found):
        rows.append([what, goal, measured, "reached" if good else "**not reached**"])
    return "\n".join("| " + " | ".join(row) + " |" for row in rows)


def judged(found):
    """Each goal with what was measured, and whether it is reached."""
    yield from against_peers(found)
    floor = found.get("floor")
    if floor:
        share = floor["share_of_the_bare_handler"]
        ends = floor["validations_per_second"]["median"], floor["bare_handler_per_second"]["median"]
        measured = f"{shown(share)}: {number(ends[0])}/s against {number(ends[1])}/s"
        what = "validation, against a bare handler with the same bytes, in turns while both run on"
        yield what, "0.60", measured, share["median"] >= 0.6
    passwords = found.get("passwords")
    if passwords:
        share, times = passwords["share_of_the_bare_hash"], passwords["times_the_p99_alone"]
        rates = passwords["logins_per_second"]["median"], passwords["bare_hashes_per_second"]["median"]
        measured = f"{shown(share)}: {number(rates[0])}/s against {number(rates[1])}/s"
        yield "password logins, against the bare hash on all cores", "0.90", measured, share["median"] >= 0.9
        ends = passwords["p99_ms_alone"]["median"], passwords["p99_ms_beside_logins"]["median"]
        offered = f"{passwords['validations_offered_per_second']:,} validations/s"
        measured = f"{shown(times)}: {number(ends[1])} ms against {number(ends[0])} ms"
        what = f"p99 of {offered} while logins take all cores, against without"
        yield what, "at most 3", measured, times["median"] <= 3
    sessions = found.get("sessions")
    if sessions:
        weight = sessions["weight"]
        yield "resident memory, idle", "under 30 MB", f"{weight['idle_mib']:.1f} MiB", weight["idle_mib"] < 28.6
        each = weight["bytes_per_session"]
        yield "memory for each further session with a service", "1,024 bytes", f"{each:,.0f} bytes", each <= 1024
        for store, least in {"memory": 0.9, "SQLite": 0.8, "PostgreSQL": 0.8}.items():
            of = sessions.get(store, {})
            if "most_against_least" not in of:
                continue
            level = f"{sessions['levels'][-1]:,} live sessions against {sessions['levels'][0]:,}"
            share = of["most_against_least"]
            yield f"SSO ticket + validation, {store}, {level}", f"{least:.2f}", shown(share), share["median"] >= least
    of = found.get("redis", {})
    for connections, over in of.get("over_connections", {}).items():
        rates = [number(over[which]["median"]) for which in ("reached_per_second", "allowed_per_second")]
        what = f"SSO ticket + validation on Redis, against what its round trips allow, {connections} connections each"
        yield what, "0.70", f"{shown(over['share'])}: {rates[0]}/s against {rates[1]}/s", over["share"]["median"] >= 0.7
    if "nodes" in of:
        yield from against_one_node(of["nodes"])


def against_one_node(of):
    """The same load on three nodes, and three times the load on three nodes."""
    cost = {name: number(found["median"]) for name, found in of["microseconds"].items()}
    offered = of["offered_per_second"]
    for which, one, rate in (
        ("more_at_the_same_rate", "one", f"{number(offered)} a second in all"),
        ("more_at_the_same_rate_each", "a_third", f"{number(offered // 3)} a second on each"),
    ):
        what = f"processor time of an operation, three nodes on one Redis against one, {rate}"
        measured = f"{shown(of[which])}: {cost['three']} µs against {cost[one]} µs"
        yield what, "at most 1.10", measured, of[which]["median"] <= 1.1


def against_peers(found):
    def figure(title, name):
        of = found.get("peers", {}).get(title, {})
        return of["figures"].get(name, {}).get("median") if "figures" in of and "left_out" not in of else None

    def is_peer(title, of):
        return not title.startswith("casque") and not title.startswith("a bare")

    def compared(what, goal, ours, theirs):
        value, (other, whose) = figure(ours[0], ours[1]), theirs
        times = value / other
        return what, f"{goal} ×", f"{times:.1f} ×: {number(value)} against {number(other)} ({whose})", times >= goal

    if not found.get("peers"):
        return
    memory = "casque on memory"
    fastest = best(found, "sso", is_peer)
    if fastest and figure(memory, "sso"):
        yield compared("SSO ticket + validation, against the fastest peer", 10, (memory, "sso"), fastest)
        lasting = best(found, "sso", lambda title, of: is_peer(title, of) and of["survives_restart"])
        if lasting:
            yield compared("the same, against the fastest peer whose sessions outlive it", 25, (memory, "sso"), lasting)
        fastest = best(found, "validate", is_peer)
        yield compared("validation, against the fastest peer", 10, (memory, "validate"), fastest)
    bare = figure("a bare axum handler", "validate")
    if bare and figure(memory, "validate"):
        share = figure(memory, "validate") / bare
        rates = f"{number(figure(memory, 'validate'))} against {number(bare)}"
        what = "validation, against a bare handler with the same bytes, both started anew in each round"
        yield what, "0.60", f"{share:.2f}: {rates}", share >= 0.6
    for store in ("SQLite", "PostgreSQL"):
        other = figure(f"django-cas-server on {store}", "sso")
        if other and figure(f"casque on {store}", "sso"):
            theirs = (other, "django-cas-server")
            yield compared(f"SSO ticket + validation, both on {store}", 8, (f"casque on {store}", "sso"), theirs)
    soonest = [
        (of["figures"]["first_200_ms"]["median"], title)
        for title, of in found["peers"].items()
        if "left_out" not in of and is_peer(title, of)
    ]
    if soonest and figure(memory, "first_200_ms"):
        value = figure("casque on SQLite", "first_200_ms") or figure(memory, "first_200_ms")
        other, whose = min(soonest)
        measured = f"1/{other / value:.1f}: {number(value)} ms against {number(other)} ms ({whose})"
        what = "from start to the first login page, SQLite, against the fastest peer"
        yield what, "1/5", measured, value <= other / 5


def redis(found):
    of = found.get("redis", {})
    if "commands_per_operation" not in of:
        return f"Redis was left out: {of.get('left_out', 'not measured')}."
    over = of["over_connections"]
    head = ["command", "for each operation"]
    head += [f"redis-benchmark, a second, {connections} connections" for connections in over]
    rows = [head, ["---", *["---:"] * (len(head) - 1)]]
    for name, count in of["commands_per_operation"].items():
        rates = (shown(of_one["redis_benchmark_per_second"][name]) for of_one in over.values())
        rows.append([f"`{name}`", f"{count:.2f}", *rates])
    return "\n".join("| " + " | ".join(row) + " |" for row in rows)
