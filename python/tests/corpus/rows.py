"""The corpora: the project's own vectors, and the shared ones where they are there."""

import json
import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

PROJECT = Path(__file__).parents[3]
OWN = PROJECT / "crates/casque-proto/tests/vectors"


@dataclass
class Row:
    id: str
    input: dict[str, Any]
    expected: dict[str, Any]
    body: bytes | None = None
    tolerance: dict[str, Any] | None = None
    fixtures: dict[str, Any] = field(default_factory=dict)

    @property
    def status(self) -> int:
        return self.input.get("http_status") or self.input.get("status") or 200

    @property
    def document(self) -> bytes:
        return self.input["body"].encode() if self.body is None else self.body


def shared(name: str) -> Path | None:
    """The folder of a shared corpus; without it, a failure where CI is set, or else a skip that is seen."""
    root = os.environ.get("CASQUE_SHARED")
    folder = (Path(root) if root else PROJECT.parent / "shared") / name
    if folder.is_dir():
        return folder
    if os.environ.get("CI"):
        pytest.fail(f"no corpus at {folder}", pytrace=False)
    return None


def vectors(kind: str) -> list[Row]:
    """Every vector of a kind."""
    folders = sorted(path.parent for path in OWN.glob("*/index.json"))
    found = shared("vectors")
    rows = []
    for folder in [*folders, *([found] if found else [])]:
        for entry in json.loads((folder / "index.json").read_bytes())["vectors"]:
            if entry["kind"] == kind:
                body = (folder / entry["file"]).read_bytes()
                tolerance = entry.get("with_tolerance")
                rows.append(Row(entry["name"], entry["input"], entry["expect"], body, tolerance))
    return rows


def hostile(target: str) -> list[Row]:
    """Every hostile and benign row for a target."""
    folder = shared("hostile")
    if folder is None:
        return []
    index = json.loads((folder / "index.json").read_bytes())
    rows = []
    for entry in index["entries"]:
        if entry["target"] == target:
            given, body = entry["input"], None
            if isinstance(given.get("file"), str):
                body = (folder / given["file"]).read_bytes()
            elif "generator" in given:
                body = generate(given["generator"]).encode()
            rows.append(Row(entry["id"], given, entry["expected"], body, None, index["fixtures"]))
    return rows


def generate(generator: dict[str, Any]) -> str:
    """A document too big to store."""
    count = generator["count"]
    middle = {
        "nest": lambda: generator["open"] * count + generator.get("middle", "") + generator["close"] * count,
        "attrs": lambda: "".join(generator["attr"].replace("%d", str(n)) for n in range(count)),
        "repeat": lambda: generator["unit"] * count,
    }[generator["kind"]]()
    return generator.get("prefix", "") + middle + generator.get("suffix", "")


def each(rows: list[Row]) -> pytest.MarkDecorator:
    """A test for every row, by its id; with no row, one test that is skipped and says so."""
    if not rows:
        rows = [pytest.param(None, id="none", marks=pytest.mark.skip(reason="the corpus is not there"))]
        return pytest.mark.parametrize("row", rows)
    return pytest.mark.parametrize("row", rows, ids=[row.id for row in rows])


def cases(kind: str) -> list[Row]:
    """The rows of the vectors that are tables."""
    return [
        Row(f"{vector.id}-{place}", case, case)
        for vector in vectors(kind)
        for place, case in enumerate(json.loads(vector.body)["cases"])
    ]
