"""The same measurement in a container, where the workers of the stack on Docker compute.

Its Python is another one, and a virtual machine may have fewer cores than the computer around it.
"""

from __future__ import annotations

import json
import subprocess
from dataclasses import asdict

from labkit.doctor import engine
from labkit.errors import LabError
from labkit.experiments.timing import Task, Timing, Told
from labkit.images import wanted
from labkit.project import REPOSITORY
from labkit.runtime.docker import trouble

PLACE = "/queue-lab"


def measure(task: Task, told: Told) -> Timing:
    """Measure in a container of the services' image. Raises LabError."""
    (image,) = wanted().built
    command = [engine.program(), "run", "--rm", "--interactive", "--init", "--network", "none"]
    command += ["--security-opt", "label=disable"]  # or SELinux hides the folder
    command += ["--volume", f"{REPOSITORY}:{PLACE}:ro", "--workdir", PLACE, "--env", f"PYTHONPATH={PLACE}"]
    command += [image, "python", "-m", "labkit.experiments.timing"]
    with subprocess.Popen(  # noqa: S603 - a fixed list
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        if process.stdin is None or process.stdout is None or process.stderr is None:
            raise AssertionError("all are pipes")
        process.stdin.write(json.dumps(asdict(task)))
        process.stdin.close()
        said = ""
        for line in process.stderr:
            said += line
            told(line.strip())
        answer = process.stdout.read()
    if process.returncode:
        raise trouble.explain(said)
    try:
        fields = json.loads(answer)
        fields["speedup"] = {int(count): ratio for count, ratio in fields["speedup"].items()}
        return Timing(**fields)
    except (ValueError, TypeError, KeyError) as error:
        raise LabError(
            f"What was measured in a container cannot be read: {error}.", "Run the same command again."
        ) from error
