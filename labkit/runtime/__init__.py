from labkit.project import Project
from labkit.runtime.base import Runtime
from labkit.runtime.choice import choose
from labkit.runtime.local.runtime import LocalRuntime
from labkit.settings import LabSettings, base_environment


def open_runtime(settings: LabSettings) -> Runtime:
    """Give the runtime of the project's running stack; when none is up, the one that was chosen.

    Raises ProjectError.
    """
    project = Project(settings.project, port_offset=settings.port_offset)
    if choose(settings, project).kind == "docker":
        from labkit.runtime.docker.runtime import DockerRuntime  # noqa: PLC0415 - needed on Docker only

        return DockerRuntime(project, environ=base_environment())
    return LocalRuntime(project, environ=base_environment())
