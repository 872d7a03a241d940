"""PyCAS-SSO in a virtual environment of its own, beside an interpreter with casque: both packages have one name."""

import statistics
import subprocess
import sys
import venv
from collections.abc import Callable
from pathlib import Path

ENVIRONMENT = Path(__file__).resolve().parents[2] / "target" / "pycas-sso"
PACKAGES = ["pycas-sso==0.1.0.post1", "httpx==0.28.1", "requests==2.34.2"]


def interpreter() -> str:
    """The interpreter that has PyCAS-SSO; installed the first time."""
    python = ENVIRONMENT / "bin" / "python"
    done = ENVIRONMENT / ".installed"
    wanted = " ".join([sys.version.split()[0], *PACKAGES])
    if not done.exists() or done.read_text() != wanted:
        venv.create(ENVIRONMENT, clear=True, with_pip=True)
        subprocess.run([str(python), "-m", "pip", "install", "--quiet", *PACKAGES], check=True)
        done.write_text(wanted)
    return str(python)


def seconds(python: str, script: str, *arguments: str) -> float:
    """What the script prints."""
    done = subprocess.run([python, "-c", script, *arguments], capture_output=True, text=True, check=True)
    return float(done.stdout)


def compare(what: str, measure: Callable[[str], float], rounds: int, unit: str, scale: float) -> float:
    """Pairs in turn; the median of the ratios."""
    theirs, ours = interpreter(), sys.executable
    pairs = [(measure(theirs), measure(ours)) for _ in range(rounds)]
    ratios = [our / their for their, our in pairs]
    ratio = statistics.median(ratios)
    their, our = (statistics.median(each) * scale for each in zip(*pairs, strict=True))
    print(
        f"{what}: PyCAS-SSO {their:.2f} {unit}, casque {our:.2f} {unit}, "
        f"1/{1 / ratio:.1f} of it (1/{1 / max(ratios):.1f} to 1/{1 / min(ratios):.1f})"
    )
    return ratio
