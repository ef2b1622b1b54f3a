"""Formulas of expectations: plain arithmetic on named numbers, such as `ceil(jobs / workers) * work_s`."""

from __future__ import annotations

import ast
import math
import operator
from collections.abc import Callable, Mapping

from labkit.errors import BadValue

LONGEST = 200

_OPERATORS: Mapping[type[ast.operator], Callable[[float, float], float]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
}
_FUNCTIONS: Mapping[str, Callable[..., float]] = {
    "ceil": math.ceil,
    "floor": math.floor,
    "min": min,
    "max": max,
}


def evaluate(formula: str | float, names: Mapping[str, float]) -> float:
    """Return the value of a formula: numbers, `names`, + - * /, brackets, ceil, floor, min, max.

    Nothing else can be written in one, whoever wrote the file. Raises BadValue.
    """
    if isinstance(formula, int | float):
        return float(formula)
    try:
        return float(_value(_tree(formula).body, names))
    except (SyntaxError, ValueError, TypeError, ArithmeticError, RecursionError) as error:
        reason = "it is no formula" if isinstance(error, SyntaxError) else str(error)
        known = ", ".join(sorted(names))
        raise BadValue(f"{formula!r} has no value: {reason}.", f"Names that can be used: {known}.") from error


def used_names(formula: str | float) -> set[str]:
    """Return the names that stand in a formula; those of functions are not among them."""
    if isinstance(formula, int | float):
        return set()
    found = {node.id for node in ast.walk(_tree(formula)) if isinstance(node, ast.Name)}
    return found - set(_FUNCTIONS)


def _tree(formula: str) -> ast.Expression:
    if len(formula) > LONGEST:
        raise ValueError("it is too long")
    return ast.parse(formula, mode="eval")


def _value(node: ast.expr, names: Mapping[str, float]) -> float:
    match node:
        case ast.Constant(value=int() | float() as number) if not isinstance(number, bool):
            return number
        case ast.Name(id=name) if name in names:
            return names[name]
        case ast.Name(id=name):
            raise ValueError(f"{name!r} is not known")
        case ast.UnaryOp(op=ast.USub()):
            return -_value(node.operand, names)
        case ast.BinOp(op=sign) if type(sign) in _OPERATORS:
            return _OPERATORS[type(sign)](_value(node.left, names), _value(node.right, names))
        case ast.Call(func=ast.Name(id=name), keywords=[]) if name in _FUNCTIONS:
            return _FUNCTIONS[name](*(_value(argument, names) for argument in node.args))
    raise ValueError(f"{ast.unparse(node)!r} is not arithmetic")
