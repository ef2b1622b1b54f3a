from __future__ import annotations

import functools
import importlib
import pkgutil
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import MappingProxyType, ModuleType

from services.worker.processors.operation import Operation


@functools.cache
def catalogue() -> Mapping[str, type[Operation]]:
    """Return every operation by its name, in alphabetical order: all that the files of this folder define."""
    package = __name__.rpartition(".")[0]
    found = (
        operation
        for module in pkgutil.iter_modules([str(Path(__file__).parent)])
        for operation in _operations(importlib.import_module(f"{package}.{module.name}"))
    )
    return MappingProxyType({operation.name: operation for operation in sorted(found, key=lambda o: o.name)})


def _operations(module: ModuleType) -> Iterator[type[Operation]]:
    for value in vars(module).values():
        is_operation = isinstance(value, type) and issubclass(value, Operation) and value is not Operation
        if is_operation and value.__module__ == module.__name__:
            yield value
