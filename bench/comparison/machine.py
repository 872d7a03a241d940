"""What the figures were measured on."""

import os
import pathlib
import platform

from .paths import ROOT
from .servers import output


def describe(built):
    model = "unknown processor"
    for line in pathlib.Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            model = line.split(":", 1)[1].strip()
            break
    memory = int(pathlib.Path("/proc/meminfo").read_text().split()[1]) / 1024 / 1024
    return {
        "processor": model,
        "processors": os.cpu_count(),
        "memory_gib": round(memory),
        "system": f"{platform.system()} {platform.release().split('-')[0]}",
        "commit": output("git", "-C", ROOT, "rev-parse", "--short", "HEAD").strip(),
        "rust": output("rustc", "--version").split()[1],
        "built": built,
    }
