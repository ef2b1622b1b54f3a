from labkit.errors import Unsupported
from labkit.project import Project
from labkit.runtime.base import Runtime
from labkit.runtime.local.runtime import LocalRuntime
from labkit.runtime.record import read_record
from labkit.settings import base_environment


def open_runtime(project: Project, kind: str = "auto") -> Runtime:
    """Give the runtime of the project's running stack; when none is up, the one of that kind.

    kind: auto, local or docker. Raises Unsupported.
    """
    record = read_record(project)
    if (record.runtime if record else kind) == "docker":
        raise Unsupported("This version runs the stack without Docker.", "Use: labctl up --runtime local")
    return LocalRuntime(project, environ=base_environment())
