"""Where things are."""

import os
import pathlib

BENCH = pathlib.Path(__file__).resolve().parent.parent
ROOT = BENCH.parent
SETTINGS = BENCH / "comparison" / "settings"
DOCS = ROOT / "docs"

# What is installed for a comparison, and what a run leaves behind.
INSTALLED = ROOT / "target" / "peers"

TARGET = pathlib.Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target")).resolve()

# The programs that are run: what `build` left there, unless others are named.
BUILT = pathlib.Path(os.environ.get("CASQUE_PROGRAMS", TARGET / "programs"))


def say(text):
    print(text, flush=True)
