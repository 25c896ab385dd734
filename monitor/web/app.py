"""The ASGI application: guard, endpoints, live WebSocket and web page."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from contextlib import suppress
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

from pydantic import BaseModel, ValidationError
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.datastructures import Headers, MutableHeaders
from starlette.middleware.gzip import GZipMiddleware
from starlette.requests import Request as HttpRequest
from starlette.responses import FileResponse, JSONResponse, RedirectResponse, Response
from starlette.routing import Mount, Route, WebSocketRoute
from starlette.staticfiles import StaticFiles
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from starlette.websockets import WebSocket, WebSocketDisconnect

from monitor import __version__
from monitor.errors import MonitorError
from monitor.web.acting import ACTING
from monitor.web.backend import Backend, Endpoint, RequestError
from monitor.web.clip import CLIP
from monitor.web.guard import COOKIE, HEADERS, MOST_BYTES, Refusal, Request, Rules
from monitor.web.hub import MOST_VIEWERS, Viewer
from monitor.web.metrics import Metrics
from monitor.web.openapi import describe
from monitor.web.reading import READING
from monitor.web.teaching import TEACHING

STATIC = Path(__file__).parent / "static"
ENDPOINTS = (*READING, *CLIP, *ACTING, *TEACHING)

_WRONG_PASSWORD_S = 1.0
"""Delay of the answer to a wrong password; answers are serialised, which prevents guessing."""

_WORTH_PACKING = 1000
"""Bytes of an answer."""

_TOO_MANY = 1013
_COOKIE_S = 365 * 86400


def application(backend: Backend) -> ASGIApp:
    """Return the application that serves one monitor."""
    routes = [
        Route("/", _file("index.html")),
        Route("/login", _login(backend.rules), methods=["POST"]),
        Route("/healthz", _healthz(backend)),
        Route("/metrics", _metrics(backend)),
        Route("/api/openapi.json", lambda _: JSONResponse(describe(ENDPOINTS, __version__))),
        WebSocketRoute("/api/live", _live(backend)),
        *(Route(one.path, _serve(one, backend), methods=[one.method]) for one in ENDPOINTS),
        Mount("/static", StaticFiles(directory=STATIC)),
    ]
    app = Starlette(routes=routes, exception_handlers={404: _not_found, 405: _not_found})
    return Guard(_packed(app), backend.rules)


def _packed(app: ASGIApp) -> ASGIApp:
    """Compress answers, but not recordings: ranges count bytes of the file."""
    packing = GZipMiddleware(app, minimum_size=_WORTH_PACKING)

    async def packed(scope: Scope, receive: Receive, send: Send) -> None:
        recording = scope["path"].endswith("/clip")
        await (app if recording else packing)(scope, receive, send)

    return packed


class Guard:
    """Checks every request before the application sees it, and adds security headers to every response."""

    def __init__(self, app: ASGIApp, rules: Rules) -> None:
        self._app = app
        self._rules = rules

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] not in ("http", "websocket"):
            await self._app(scope, receive, send)
            return
        websocket = scope["type"] == "websocket"
        headers = Headers(scope=scope)
        client = scope["client"][0] if scope.get("client") else None
        request = Request(scope.get("method", "GET"), scope["path"], headers, websocket, client)
        refusal = self._rules.judge(request)

        async def guarded(message: Message) -> None:
            if message["type"] == "http.response.start":
                answer = MutableHeaders(scope=message)
                answer.update(HEADERS)
                if request.path.startswith("/static/"):
                    answer["Cache-Control"] = "no-cache"  # revalidated, sent only if changed
            await send(message)

        if refusal is None:
            await self._app(scope, receive, guarded)
        elif websocket:
            await receive()
            await send({"type": "websocket.close", "code": 1008})
        else:
            await _refuse(refusal, request)(scope, receive, guarded)


def _refuse(refusal: Refusal, request: Request) -> Response:
    if refusal.status != 401:
        return _error(refusal.status, refusal.reason)
    if request.path == "/" and "text/html" in request.headers.get("accept", ""):
        return FileResponse(STATIC / "login.html", status_code=401)
    return JSONResponse({"error": refusal.reason}, 401, headers={"WWW-Authenticate": "Bearer"})


def _error(status: int, reason: str) -> JSONResponse:
    return JSONResponse({"error": reason}, status)


def _not_found(_: HttpRequest, error: Exception) -> Response:
    return _error(getattr(error, "status_code", 404), "there is nothing here")


def _file(name: str) -> Callable[[HttpRequest], Response]:
    return lambda _: FileResponse(STATIC / name)


def _healthz(backend: Backend) -> Callable[[HttpRequest], Response]:
    def healthz(_: HttpRequest) -> Response:
        trouble = backend.status().trouble
        return Response(f"{trouble or 'ok'}\n", 503 if trouble else 200, media_type="text/plain")

    return healthz


def _metrics(backend: Backend) -> Callable[[HttpRequest], Response]:
    metrics = Metrics(backend.hub, backend.status, backend.facts().node)
    return lambda _: Response(metrics.text(), media_type=metrics.content_type)


def _login(rules: Rules) -> Callable[[HttpRequest], Awaitable[Response]]:
    one_at_a_time = asyncio.Lock()

    async def login(request: HttpRequest) -> Response:
        form = parse_qs((await _body(request)).decode("utf-8", "replace"))
        if rules.accepts(form.get("password", [""])[0]):
            answer = RedirectResponse("./", 303)
            secure = request.url.scheme == "https"
            # Without a path, the cookie applies to the page's folder under whatever name a proxy gives it.
            answer.set_cookie(
                COOKIE, rules.session(), _COOKIE_S, path=None, secure=secure, httponly=True, samesite="strict"
            )
            return answer
        async with one_at_a_time:
            await asyncio.sleep(_WRONG_PASSWORD_S)
        return FileResponse(STATIC / "wrong.html", status_code=401)

    return login


def _serve(endpoint: Endpoint, backend: Backend) -> Callable[[HttpRequest], Awaitable[Response]]:
    async def serve(request: HttpRequest) -> Response:
        if endpoint.writes and not backend.write:
            return _error(403, "this page may only read; set web.write: true")
        try:
            parameters = await _parameters(endpoint.parameters, request)
            answer = await run_in_threadpool(endpoint.handle, backend, parameters)
        except ValidationError as error:
            return _error(422, _explain(error))
        except RequestError as error:
            return _error(error.status, str(error))
        except MonitorError as error:
            return _error(503, str(error))
        return answer if isinstance(answer, Response) else JSONResponse(answer)

    return serve


async def _parameters(model: type[BaseModel], request: HttpRequest) -> BaseModel:
    """Validate the parameters from the body, else from query and path."""
    if request.method == "POST":
        try:
            values = json.loads(await _body(request))
        except (ValueError, RecursionError) as error:
            raise RequestError(400, "the body is not JSON") from error
        return model.model_validate(values)
    values = dict(request.path_params)
    for name in request.query_params:
        field = model.model_fields.get(name)
        several = field is not None and "list" in str(field.annotation)
        values[name] = request.query_params.getlist(name) if several else request.query_params[name]
    return model.model_validate(values)


async def _body(request: HttpRequest) -> bytes:
    """Return the body, which may arrive in chunks without a length."""
    body = b""
    async for piece in request.stream():
        body += piece
        if len(body) > MOST_BYTES:
            raise RequestError(413, f"the body is larger than {MOST_BYTES} bytes")
    return body


def _explain(error: ValidationError) -> str:
    first = error.errors(include_url=False, include_input=False, include_context=False)[0]
    where = ".".join(str(part) for part in first["loc"]) or "parameters"
    return f"{where[:100]}: {first['msg'].removeprefix('Value error, ')}"


def _live(backend: Backend) -> Callable[[WebSocket], Awaitable[None]]:
    hub = backend.hub

    async def live(websocket: WebSocket) -> None:
        if hub.viewers >= MOST_VIEWERS:
            await websocket.close(_TOO_MANY)
            return
        await websocket.accept()
        with hub.viewer() as viewer, suppress(WebSocketDisconnect):
            await websocket.send_text(hub.hello())
            listening = asyncio.create_task(_until_gone(websocket, viewer))
            try:
                while (message := await viewer.get()) is not None:
                    await websocket.send_text(message)
            finally:
                listening.cancel()

    return live


async def _until_gone(websocket: WebSocket, viewer: Viewer) -> None:
    """Wait until the viewer has disconnected, then release its sender; anything it sends is ignored."""
    message: dict[str, Any] = {}
    while message.get("type") != "websocket.disconnect":
        message = dict(await websocket.receive())
    viewer.leave()
