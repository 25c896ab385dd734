"""Generates an OpenAPI 3.1 description of the API from the table of endpoints that serves it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from monitor.web.backend import Endpoint

_ERROR = {
    "description": "one line in `error`",
    "content": {
        "application/json": {"schema": {"type": "object", "properties": {"error": {"type": "string"}}}}
    },
}


def describe(endpoints: Sequence[Endpoint], version: str) -> dict[str, Any]:
    """Return the OpenAPI document."""
    paths: dict[str, dict[str, Any]] = {}
    for endpoint in endpoints:
        paths.setdefault(endpoint.path, {})[endpoint.method.lower()] = _operation(endpoint)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "sound-monitor",
            "version": version,
            "description": "What the page uses. Live messages come over the WebSocket `api/live`.",
        },
        "servers": [{"url": ".."}],
        "paths": paths,
        "components": {"securitySchemes": {"password": {"type": "http", "scheme": "bearer"}}},
        "security": [{}, {"password": []}],
    }


def _operation(endpoint: Endpoint) -> dict[str, Any]:
    schema = endpoint.parameters.model_json_schema()
    name = endpoint.path.translate({ord("/"): "_", ord("{"): None, ord("}"): None})
    operation: dict[str, Any] = {
        "summary": endpoint.summary,
        "operationId": f"{endpoint.method.lower()}{name}",
        "responses": {"200": {"description": "done"}, "4XX": _ERROR},
    }
    if endpoint.method in ("POST", "PUT"):
        operation["requestBody"] = {"required": True, "content": {"application/json": {"schema": schema}}}
        return operation
    required = schema.get("required", [])
    operation["parameters"] = [
        {
            "name": name,
            "in": "path" if f"{{{name}}}" in endpoint.path else "query",
            "required": name in required,
            "description": value.get("description", ""),
            "schema": {key: part for key, part in value.items() if key not in ("title", "description")},
        }
        for name, value in schema.get("properties", {}).items()
    ]
    return operation
