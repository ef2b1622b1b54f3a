"""Is this computer ready, and is the running stack well? `verify_setup.py` and `labctl doctor` are this code.

Standard library only, and every file parses on Python 3.6.
"""

import argparse
import os
import sys
from typing import List, Optional

from labkit import words
from labkit.doctor import machine, ports, runtimes, stack, view
from labkit.doctor.check import Result, Results, passed
from labkit.doctor.project import read_project
from labkit.install.errors import LabError

__all__ = ["Result", "examine", "main", "passed"]


def examine(project: Optional[str] = None, port_offset: Optional[int] = None) -> Results:
    """Run all checks; those of the stack when it is up. None: from LAB_PROJECT and LAB_PORT_OFFSET."""
    results = [machine.check_python(), machine.check_venv(), machine.check_memory(), machine.check_disk()]
    try:
        chosen = read_project(project, port_offset)
    except LabError as error:
        return [*results, Result("ports", ok=False, detail=error.message, fix=error.next_step)]
    docker = runtimes.check_docker()
    choice = runtimes.choose(chosen, docker_answers=passed(docker))
    chosen = chosen._replace(runtime=choice.runtime)
    results += runtimes.check_runtimes(choice, docker)
    answer = stack.health(chosen)
    results += ports.check_ports(chosen, up=answer is not None)
    results += stack.check_stack(chosen, answer) if answer else [stack.not_running(chosen)]
    return results


def main(
    arguments: List[str], again: str = "", project: Optional[str] = None, port_offset: Optional[int] = None
) -> int:
    """Print the results; `again` names the script that was run. Returns 0 if all is well, else 1."""
    typed = words.script(again) if again else words.command("doctor")
    parser = argparse.ArgumentParser(prog=typed, description="Is this computer ready for Queue Lab?")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    wants_json = parser.parse_args(arguments).json
    results = examine(project, port_offset)
    text = view.as_json(results) if wants_json else view.as_text(results, colour=_colour(), again=typed)
    encoding = sys.stdout.encoding or "ascii"
    sys.stdout.write(text.encode(encoding, "replace").decode(encoding) + "\n")
    return 0 if passed(results) else 1


def _colour() -> bool:
    return sys.stdout.isatty() and "NO_COLOR" not in os.environ and os.environ.get("TERM") != "dumb"
