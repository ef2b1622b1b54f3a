from dataclasses import replace

from labkit.project import Project
from labkit.runtime.base import Runtime
from labkit.runtime.choice import choose
from labkit.runtime.local.runtime import LocalRuntime
from labkit.runtime.record import kept_offset, read_record
from labkit.settings import LabSettings, base_environment


def open_runtime(settings: LabSettings) -> Runtime:
    """Give the runtime of the project's running stack; when none is up, the one that was chosen.

    Without a chosen port offset the project keeps the one that it had. Raises ProjectError.
    """
    project = Project(settings.project, port_offset=settings.port_offset)
    if "port_offset" not in settings.model_fields_set:
        record = read_record(project)
        kept = record.port_offset if record else kept_offset(project)
        project = replace(project, port_offset=kept or 0)
    if choose(settings, project).kind == "docker":
        from labkit.runtime.docker.runtime import DockerRuntime  # noqa: PLC0415 - needed on Docker only

        return DockerRuntime(project, environ=base_environment())
    return LocalRuntime(project, environ=base_environment())
