"""The table in the chapter on moving from PyCAS-SSO: every public name, its signature, and the test that covers it."""

from __future__ import annotations

import importlib
import inspect
import re
from pathlib import Path
from typing import Any

import pytest

HERE = Path(__file__).parent
ROOT = HERE.parents[2]
ROW = re.compile(r"^\| `(?P<name>pycas_sso[\w.]*)` \| (?P<what>.*?) \| (?P<tests>.*?) \|$")
# Parameters that may be left out where PyCAS-SSO insists on them, because its documentation leaves them out.
OPTIONAL_HERE = {"callback_url"}


def rows() -> list[tuple[str, str, list[str]]]:
    text = (ROOT / "docs" / "pycas-sso.md").read_text(encoding="utf-8")
    found = (ROW.match(line) for line in text.splitlines())
    return [(row["name"], row["what"], re.findall(r"`(\w+)`", row["tests"])) for row in found if row]


def find(name: str) -> Any:
    parts = name.split(".")
    for cut in range(len(parts), 0, -1):
        try:
            found: Any = importlib.import_module(".".join(parts[:cut]))
        except ModuleNotFoundError as error:
            if not ".".join(parts[:cut]).startswith(str(error.name)):
                raise
            continue
        for part in parts[cut:]:
            found = inspect.getattr_static(found, part) if inspect.isclass(found) else getattr(found, part)
        return found
    raise AssertionError(name)


def test_the_table_is_whole() -> None:
    names = [name for name, _, _ in rows()]
    assert len(names) == len(set(names))
    # PyCAS-SSO 0.1.0: ten modules, and everything in them.
    assert len(names) == 98


@pytest.mark.parametrize(("name", "what"), [(name, what) for name, what, _ in rows()])
def test_a_name_exists_with_its_signature(name: str, what: str) -> None:
    found = find(name)
    if what in ("module", "class"):
        assert inspect.ismodule(found) if what == "module" else inspect.isclass(found)
        return
    if what in ("`str`", "`list`", "`dict`"):
        assert type(found).__name__ == what.strip("`")
        return
    if what == "property":
        assert isinstance(found, property)
        return
    if isinstance(found, staticmethod):
        found = found.__func__
    kind, _, signature = what.strip("`").rpartition("def ")
    assert inspect.iscoroutinefunction(found) == (kind == "async ")
    theirs = _parameters(signature)
    ours = list(inspect.signature(found).parameters.values())
    positional = [each for each in ours if each.kind is not inspect.Parameter.KEYWORD_ONLY]
    assert [(each.name, each.kind) for each in theirs if each.kind is not inspect.Parameter.KEYWORD_ONLY] == [
        (each.name, each.kind) for each in positional
    ]
    for each in theirs:
        our = next(our for our in ours if our.name == each.name)
        if each.name not in OPTIONAL_HERE:
            assert our.default == each.default
    # What is new has a name and a default.
    for each in ours:
        if each.name not in {their.name for their in theirs}:
            assert each.kind is inspect.Parameter.KEYWORD_ONLY
            assert each.default is not inspect.Parameter.empty


def _parameters(signature: str) -> list[inspect.Parameter]:
    scope: dict[str, Any] = {}
    exec(f"def f{signature}: ...", scope)
    return list(inspect.signature(scope["f"]).parameters.values())


def test_every_named_test_exists() -> None:
    tests = set(re.findall(r"^(?:async )?def (test_\w+)", _all_tests(), re.MULTILINE))
    named = {(name, test) for name, _, tests_of_row in rows() for test in tests_of_row}
    assert {test for _, test in named} <= tests
    assert {name for name, _ in named} == {name for name, _, _ in rows()}


def test_every_trap_has_a_test() -> None:
    numbers = {int(number) for number in re.findall(r"^def test_trap_(\d\d)", _all_tests(), re.MULTILINE)}
    assert numbers == set(range(1, 39))


def _all_tests() -> str:
    return "\n".join(path.read_text(encoding="utf-8") for path in sorted(HERE.glob("test_*.py")))
