"""Builds the programs as packages have them: with the profile `dist`, guided by what casque does at work.

A request touches little of much code, and where that lies apart a processor waits for it. So the programs are built
twice: first to count what they do under `training`'s load, then with those counts, which put together what is used
together. That takes LLVM's `llvm-profdata`, of the version that rustc has; without it the profile `dist` stands alone.
"""

import hashlib
import os
import pathlib
import shutil
import subprocess
import sys

from .paths import BENCH, BUILT, ROOT, TARGET, say
from .servers import output

GUIDED = TARGET / "guided"
COUNTS = GUIDED / "counts"

# What packages ship, with what its training needs; and what is measured beside it.
SHIPPED = ("casque", "hashes")
MEASURED = (*SHIPPED, "bare", "live")


def build(programs, guided=True):
    """Builds programs into `BUILT`. Returns how that was done, in words that follow "built"."""
    tool = profdata()
    if not guided or not tool:
        why = f"llvm-profdata {llvm()} is not installed" if guided else "as was asked for"
        say(f"building, not guided: {why}")
        place(cargo(programs, TARGET), programs)
        return "with the profile `dist`"
    say("building, to count what is done (some minutes)")
    counting = cargo(programs, GUIDED / "instrumented", f"-Cprofile-generate={COUNTS}")
    profile = GUIDED / f"{digest(counting / program for program in programs)}.profdata"
    if not profile.exists():
        train(counting)
        merge(tool, profile)
    say("building, guided by the counts (some minutes)")
    place(cargo(programs, GUIDED / "built", f"-Cprofile-use={profile}"), programs)
    return "with the profile `dist`, guided by a profile of such loads"


def about_rustc(name):
    # In the project's folder, which may name its own rustc.
    lines = output("rustc", "-vV", cwd=ROOT).splitlines()
    return next(line.split(": ", 1)[1] for line in lines if line.startswith(f"{name}: "))


def llvm():
    """The version of LLVM that rustc has: counts are read by the same one."""
    return about_rustc("LLVM version").split(".")[0]


def profdata():
    """The program that merges counts, if it is installed."""
    version, sysroot = llvm(), output("rustc", "--print", "sysroot", cwd=ROOT).strip()
    own = pathlib.Path(sysroot) / "lib" / "rustlib" / about_rustc("host") / "bin"
    debian = pathlib.Path(f"/usr/lib/llvm-{version}/bin")
    for candidate in (own / "llvm-profdata", debian / "llvm-profdata", f"llvm-profdata-{version}", "llvm-profdata"):
        found = shutil.which(candidate)
        # One of an older LLVM may not even know the question.
        asked = subprocess.run([found, "--version"], capture_output=True, text=True) if found else None
        if asked and f"LLVM version {version}." in asked.stdout:
            return found
    return None


def cargo(programs, target, flags=""):
    """Builds programs, and returns the folder they are in."""
    host = about_rustc("host")
    command = ["cargo", "build", "--locked", "--quiet", "--profile", "dist", "--package", "casque"]
    # With a target, the flags are for the programs and not for what builds them.
    command += ["--package", "casque-bench", "--target", host, "--target-dir", target]
    for program in programs:
        command += ["--bin", program]
    flags = f"{os.environ.get('RUSTFLAGS', '')} {flags}".strip()
    subprocess.run([str(part) for part in command], cwd=ROOT, check=True, env=os.environ | {"RUSTFLAGS": flags})
    return target / host / "dist"


def train(programs):
    shutil.rmtree(COUNTS, ignore_errors=True)
    there = os.environ | {"CASQUE_PROGRAMS": str(programs)}
    subprocess.run([sys.executable, "-m", "comparison.training"], cwd=BENCH, env=there, check=True)


def merge(tool, profile):
    for earlier in GUIDED.glob("*.profdata"):
        earlier.unlink()
    merged = COUNTS / "merged"
    subprocess.run([tool, "merge", "--output", merged, COUNTS], check=True)
    merged.rename(profile)


def digest(files):
    whole = hashlib.sha256()
    for file in files:
        whole.update(file.read_bytes())
    return whole.hexdigest()[:16]


def place(folder, programs):
    BUILT.mkdir(parents=True, exist_ok=True)
    for program in programs:
        new = BUILT / f".{program}"
        shutil.copy2(folder / program, new)
        new.rename(BUILT / program)
