"""Draws the plots of docs/performance.md as SVG, from what was measured. Readable on light and on dark pages."""

import math
from html import escape

WIDTH, HEIGHT = 840, 420
LEFT, RIGHT, TOP, BOTTOM = 70, 250, 50, 56

STYLE = """
  svg { font: 13px system-ui, sans-serif; }
  .paper { fill: #fff; } .ink { fill: #222; } .soft { fill: #555; } .grid { stroke: #ddd; } .axis { stroke: #888; }
  .line { fill: none; stroke-width: 2.5; stroke-linejoin: round; } .range { stroke-width: 1.5; opacity: .6; }
  .c0 { --c: #0b62c4; } .c1 { --c: #b3470d; } .c2 { --c: #a0146e; } .c3 { --c: #1a7a38; } .other { --c: #777; }
  .line, .range { stroke: var(--c); } .dot, .name { fill: var(--c); } .name { font-weight: 600; }
  .other.name { font-weight: 400; } .other.line { stroke-width: 1.5; }
  @media (prefers-color-scheme: dark) {
    .paper { fill: #1b1d21; } .ink { fill: #eee; } .soft { fill: #bbb; } .grid { stroke: #3a3d42; }
    .c0 { --c: #6db3ff; } .c1 { --c: #ff9a5c; } .c2 { --c: #f27bc4; } .c3 { --c: #6fd58c; } .other { --c: #9aa0a8; }
  }
"""


class Scale:
    """From a value to a place on the paper."""

    def __init__(self, low, high, start, end, logarithmic):
        self.read = math.log10 if logarithmic else float
        self.low, self.high, self.start, self.end = self.read(low), self.read(high), start, end

    def __call__(self, value):
        share = (self.read(value) - self.low) / (self.high - self.low)
        return self.start + share * (self.end - self.start)


def draw(found, folder):
    """Writes the pictures there is something for, and gives their files."""
    folder.mkdir(parents=True, exist_ok=True)
    files = []
    for name, picture in {
        "throughput-against-sessions": against_sessions,
        "latency-against-load": against_load,
    }.items():
        svg, name = picture(found), f"{name}.svg"
        if svg:
            (folder / name).write_text(svg)
            files.append(folder / name)
    return files


def against_sessions(found):
    stores = {
        name: mine["sso_per_second"]
        for name, mine in found.get("sessions", {}).items()
        if isinstance(mine, dict) and "sso_per_second" in mine
    }
    if not stores:
        return None
    series = [
        {
            "name": f"{name}: {list(rates.values())[-1]['median']:,.0f}",
            "class": f"c{number}",
            "points": [(int(level), of["median"], of["lowest"], of["highest"]) for level, of in rates.items()],
        }
        for number, (name, rates) in zip((0, 1, 3), stores.items(), strict=False)
    ]
    levels = [point[0] for point in series[0]["points"]]
    most = max(point[3] for one in series for point in one["points"])
    step = 10 ** math.floor(math.log10(most))
    step = step / 2 if most / step < 4 else step
    top = math.ceil(most * 1.05 / step) * step
    x = Scale(levels[0], levels[-1], LEFT, WIDTH - RIGHT, logarithmic=True)
    y = Scale(0, top, HEIGHT - BOTTOM, TOP, logarithmic=False)
    ticks = [step * number for number in range(round(top / step) + 1)]
    return paper(
        "Tickets by single sign-on and their validations, per second",
        "live sessions in the store",
        [(x(level), f"{level:,}") for level in levels],
        [(y(tick), f"{tick:,.0f}") for tick in ticks],
        [drawn(one, x, y) for one in series],
    )


def against_load(found):
    series, number = [], 0
    for name, mine in found.get("latency", {}).items():
        if "points" not in mine or not mine["points"]:
            continue
        ours = name.startswith("casque ")
        points = [(point["reached"], point["p99"], None, None) for point in mine["points"]]
        series.append({"name": name, "class": f"c{number}" if ours else "other", "points": points})
        number += ours
    if not series:
        return None
    across = [point[0] for one in series for point in one["points"]]
    up = [point[1] for one in series for point in one["points"]]
    x = Scale(*decades(across), LEFT, WIDTH - RIGHT, logarithmic=True)
    y = Scale(*decades(up), HEIGHT - BOTTOM, TOP, logarithmic=True)
    # What others do lies below what casque does.
    series.sort(key=lambda one: one["class"] != "other")
    return paper(
        "Latency that 99 of 100 operations stay below, in milliseconds",
        "operations per second: a ticket by single sign-on and its validation",
        [(x(tick), f"{tick:,}") for tick in powers(decades(across))],
        [(y(tick), f"{tick:g}") for tick in powers(decades(up))],
        [drawn(one, x, y) for one in series],
    )


def decades(values):
    """The powers of ten around some values; a third of one where that leaves less empty."""
    low, high = 10 ** math.floor(math.log10(min(values))), 10 ** math.ceil(math.log10(max(values)))
    return (low * 3 if low * 3 < min(values) else low), (high / 3 if high / 3 > max(values) else high)


def powers(bounds):
    first, last = math.ceil(math.log10(bounds[0]) - 1e-9), math.floor(math.log10(bounds[1]) + 1e-9)
    return [10**power if power >= 0 else 10.0**power for power in range(first, last + 1)]


def drawn(one, x, y):
    """A line with its points and their ranges, and where its name belongs."""
    places = [(x(across), y(up)) for across, up, _, _ in one["points"]]
    css, parts = one["class"], []
    path = " ".join(f"{a:.1f},{b:.1f}" for a, b in places)
    parts.append(f'<polyline class="line {css}" points="{path}"/>')
    for (_, _, low, high), (a, b) in zip(one["points"], places, strict=True):
        if low is not None:
            parts.append(f'<line class="range {css}" x1="{a:.1f}" x2="{a:.1f}" y1="{y(low):.1f}" y2="{y(high):.1f}"/>')
        parts.append(f'<circle class="dot {css}" cx="{a:.1f}" cy="{b:.1f}" r="3"/>')
    return {"svg": parts, "name": one["name"], "class": css, "end": places[-1]}


def paper(title, below, across, up, lines):
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" role="img">',
        f"<title>{escape(title)}</title>",
        f"<style>{STYLE}</style>",
        f'<rect class="paper" width="{WIDTH}" height="{HEIGHT}"/>',
        f'<text class="ink" x="14" y="26" font-size="15" font-weight="600">{escape(title)}</text>',
    ]
    for place, words in up:
        parts.append(f'<line class="grid" x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{place:.1f}" y2="{place:.1f}"/>')
        parts.append(f'<text class="soft" x="{LEFT - 8}" y="{place + 4:.1f}" text-anchor="end">{words}</text>')
    for place, words in across:
        parts.append(
            f'<line class="grid" x1="{place:.1f}" x2="{place:.1f}" y1="{TOP}" y2="{HEIGHT - BOTTOM}"/>'
            f'<text class="soft" x="{place:.1f}" y="{HEIGHT - BOTTOM + 20}" text-anchor="middle">{words}</text>'
        )
    middle = (LEFT + WIDTH - RIGHT) / 2
    parts.append(f'<line class="axis" x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{HEIGHT - BOTTOM}" y2="{HEIGHT - BOTTOM}"/>')
    parts.append(f'<text class="soft" x="{middle}" y="{HEIGHT - 12}" text-anchor="middle">{escape(below)}</text>')
    for line in lines:
        parts.extend(line["svg"])
    parts.extend(names(lines))
    return "\n".join([*parts, "</svg>", ""])


def names(lines):
    """Names in the margin, at the height where their lines end and never one over another."""
    places = sorted(lines, key=lambda line: line["end"][1])
    heights, least = [], TOP
    for line in places:
        heights.append(max(line["end"][1], least))
        least = heights[-1] + 17
    over = max(0, least - 17 - (HEIGHT - BOTTOM))
    for number in reversed(range(len(heights))):
        limit = (HEIGHT - BOTTOM) - 17 * (len(heights) - 1 - number)
        heights[number] = min(heights[number], limit) if over else heights[number]
    start = WIDTH - RIGHT + 16
    for line, height in zip(places, heights, strict=True):
        a, b = line["end"]
        yield (
            f'<line class="range {line["class"]}" x1="{a + 5:.1f}" y1="{b:.1f}" x2="{start - 4}" y2="{height:.1f}" '
            'stroke-dasharray="2 3"/>'
        )
        yield f'<text class="name {line["class"]}" x="{start}" y="{height + 4:.1f}">{escape(line["name"])}</text>'
