"""Where things are."""

import os
import pathlib

BENCH = pathlib.Path(__file__).resolve().parent.parent
ROOT = BENCH.parent
SETTINGS = BENCH / "comparison" / "settings"
DOCS = ROOT / "docs"

# What is installed for a comparison, and what a run leaves behind.
INSTALLED = ROOT / "target" / "peers"

# The profile that packages are built with.
BUILT = pathlib.Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target")) / "dist"


def say(text):
    print(text, flush=True)
