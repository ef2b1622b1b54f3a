from __future__ import annotations

import functools
import importlib
import pkgutil
from collections.abc import Iterator, Mapping
from types import MappingProxyType, ModuleType

from services.worker.processors.operation import Operation


@functools.cache
def catalogue() -> Mapping[str, type[Operation]]:
    """Return every operation of this package by its name, in alphabetical order."""
    return MappingProxyType(discover(__name__.rpartition(".")[0]))


def discover(package: str) -> dict[str, type[Operation]]:
    """Import the modules of a package and return the operations that they define."""
    folder = importlib.import_module(package).__path__
    modules = (importlib.import_module(f"{package}.{found.name}") for found in pkgutil.iter_modules(folder))
    operations = (operation for module in modules for operation in _defined_in(module))
    return {operation.name: operation for operation in sorted(operations, key=lambda each: each.name)}


def _defined_in(module: ModuleType) -> Iterator[type[Operation]]:
    for value in vars(module).values():
        is_operation = isinstance(value, type) and issubclass(value, Operation) and value is not Operation
        if is_operation and value.__module__ == module.__name__:
            yield value
