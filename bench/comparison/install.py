"""Installs what packages provide, into target/peers, and Debian's where it may. What fails is said and left out."""

import os
import shutil
import subprocess

import tomllib

from . import build
from .paths import BENCH, INSTALLED, SETTINGS, say

VERSIONS = BENCH / "comparison" / "versions.toml"


def install_all():
    """Installs what is missing. Returns the reasons why something is, by name."""
    failed = {}
    everything = tomllib.loads(VERSIONS.read_text())
    if not build.profdata():
        everything["llvm-profdata"] = {"debian": [f"llvm-{build.llvm()}"]}
    for name, wanted in everything.items():
        try:
            if "pypi" in wanted:
                from_pypi(name, wanted["pypi"])
            if "npm" in wanted:
                from_npm()
            if "debian" in wanted:
                from_debian(wanted["debian"])
        except (subprocess.CalledProcessError, OSError, CannotInstall) as error:
            failed[name] = why(error)
            say(f"not installed: {name}: {failed[name]}")
    return failed


class CannotInstall(Exception):
    pass


def why(error):
    if isinstance(error, subprocess.CalledProcessError):
        words = [line for line in (error.stderr or "").splitlines() if line.strip()]
        return words[-1].strip() if words else f"{error.cmd[0]} failed"
    return str(error)


def run(*command):
    pipes = {"stdout": subprocess.DEVNULL, "stderr": subprocess.PIPE}
    subprocess.run([str(part) for part in command], check=True, text=True, **pipes)


def already(folder, wanted):
    note = folder / ".installed"
    return note.exists() and note.read_text() == wanted


def from_pypi(name, packages):
    folder, wanted = INSTALLED / name, "\n".join(packages)
    if already(folder, wanted):
        return
    say(f"installing {name} into {folder.name}")
    run("python3", "-m", "venv", "--clear", folder)
    run(folder / "bin" / "pip", "install", "--quiet", "--disable-pip-version-check", *packages)
    (folder / ".installed").write_text(wanted)


def from_npm():
    folder, theirs = INSTALLED / "cas-server", SETTINGS / "cas-server"
    if not shutil.which("npm"):
        raise CannotInstall("npm is not installed")
    wanted = (theirs / "package-lock.json").read_text()
    folder.mkdir(parents=True, exist_ok=True)
    shutil.copy(theirs / "settings.js", folder)
    if already(folder, wanted):
        return
    say("installing npm cas-server")
    for file in ("package.json", "package-lock.json"):
        shutil.copy(theirs / file, folder)
    run("npm", "ci", "--prefix", folder, "--ignore-scripts", "--no-audit", "--no-fund", "--silent")
    (folder / ".installed").write_text(wanted)


def from_debian(packages):
    def is_installed(package):
        status = subprocess.run(["dpkg-query", "-W", "-f=${db:Status-Abbrev}", package], capture_output=True, text=True)
        return status.stdout.startswith("ii")

    if not shutil.which("dpkg-query"):
        raise CannotInstall("not a Debian machine: install the equivalent of " + " ".join(packages))
    absent = [package for package in packages if not is_installed(package)]
    if not absent:
        return
    if os.geteuid() != 0:
        raise CannotInstall("not root; to install it: apt-get install --no-install-recommends " + " ".join(absent))
    say(f"installing {' '.join(absent)}")
    os.environ["DEBIAN_FRONTEND"] = "noninteractive"
    # Package scripts must not start servers: each part starts its own.
    policy = "/usr/sbin/policy-rc.d"
    ours = not os.path.exists(policy)
    if ours:
        with open(policy, "w") as file:
            file.write("#!/bin/sh\nexit 101\n")
        os.chmod(policy, 0o755)
    try:
        run("apt-get", "update", "-q")
        run("apt-get", "install", "-y", "-q", "--no-install-recommends", *absent)
    finally:
        if ours:
            os.remove(policy)
