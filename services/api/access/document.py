"""What the OpenAPI document says of the gate: which routes want a token, and how they refuse without."""

from __future__ import annotations

from typing import Any

from fastapi import FastAPI

from services.api.access.gate import SESSION
from services.api.access.table import RULES, Need, Rule
from services.api.openapi import problems

SCHEMES = {
    "bearer": {"type": "http", "scheme": "bearer", "bearerFormat": "JWT"},
    "cookie": {"type": "apiKey", "in": "cookie", "name": SESSION},
}


class Documented(FastAPI):
    """An application whose document knows the table of access."""

    def openapi(self) -> dict[str, Any]:
        """Return the document."""
        if self.openapi_schema is None:
            document = super().openapi()
            document.setdefault("components", {})["securitySchemes"] = SCHEMES
            for path, methods in document["paths"].items():
                for method, operation in methods.items():
                    _describe(operation, RULES[method.upper(), path])
        assert self.openapi_schema is not None  # noqa: S101 - it was made just now
        return self.openapi_schema


def _describe(operation: dict[str, Any], rule: Rule) -> None:
    if rule.need is Need.NOTHING:
        return
    operation["security"] = [{name: []} for name in SCHEMES]
    codes = ["not_logged_in", "bad_token"]
    codes += ["admin_only"] if rule.need is Need.ADMIN else []
    codes += ["too_often"] if rule.rate else []
    for status, said in problems(*codes).items():
        error = {"$ref": "#/components/schemas/ErrorAnswer"}
        operation["responses"].setdefault(
            str(status),
            {"description": said["description"], "content": {"application/json": {"schema": error}}},
        )
