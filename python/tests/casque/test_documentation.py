"""Every example of the documentation runs as it stands."""

import doctest
import importlib
import re
import subprocess
import sys
from pathlib import Path

import pytest

import casque

PROJECT = Path(__file__).parents[3]
PAGES = ["docs/python.md", "python/README.md"]


def examples():
    for page in PAGES:
        text = (PROJECT / page).read_text(encoding="utf-8")
        for found in re.finditer(r"^```python\n(.*?)^```$", text, re.DOTALL | re.MULTILINE):
            line = text.count("\n", 0, found.start()) + 2
            # The lines keep their numbers, so that an error names the place in the page.
            yield pytest.param(page, "\n" * (line - 1) + found[1], id=f"{page}:{line}")


@pytest.mark.parametrize(("page", "source"), list(examples()))
def test_example(page, source):
    exec(compile(source, str(PROJECT / page), "exec"), {"__name__": "example"})


def test_example_for_pytest(casque_demo, tmp_path):
    """The page's tests, run as a user's are: with the fixtures that come with the package."""
    text = (PROJECT / "docs/python.md").read_text(encoding="utf-8")
    files = re.findall(r"^```python file=(test_\w+\.py)\n(.*?)^```$", text, re.DOTALL | re.MULTILINE)
    assert files
    for name, source in files:
        (tmp_path / name).write_text(source, encoding="utf-8")
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "--rootdir", tmp_path, tmp_path],
        capture_output=True,
        text=True,
        cwd=tmp_path,
    )
    assert re.search(r"^\d+ passed in", done.stdout, re.MULTILINE), done.stdout + done.stderr


@pytest.mark.parametrize("module", ["casque", "casque.proxy", "casque.logout", "casque.testing"])
def test_docstrings(module):
    results = doctest.testmod(importlib.import_module(module))
    assert results.attempted > 0
    assert results.failed == 0


def test_every_setting_is_described():
    text = (PROJECT / "docs/python.md").read_text(encoding="utf-8")
    import inspect

    for client in (casque.Client, casque.AsyncClient):
        names = set(inspect.signature(client).parameters) - {"server", "service", "http_options", "clock"}
        assert {name for name in names if f"`{name}`" not in text} == set()
