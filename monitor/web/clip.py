"""The recording of an event, with range requests so that a player can seek.

The request names an event, never a file: the path comes from the event's record, and is one of ours or
nothing.
"""

from __future__ import annotations

from typing import Any

from starlette.responses import FileResponse
from starlette.types import Receive, Scope, Send

from monitor.clips.folder import ClipFolder
from monitor.web.backend import Backend, Endpoint, RequestError
from monitor.web.reading import OneEvent, has_clip


class _ClipResponse(FileResponse):
    """Sends a clip and keeps it from being deleted meanwhile."""

    def __init__(self, folder: ClipFolder, name: str) -> None:
        super().__init__(folder.path / name, media_type="audio/flac", filename=name.rpartition("/")[2])
        self.headers["content-disposition"] = self.headers["content-disposition"].replace(
            "attachment", "inline", 1
        )
        self._folder = folder
        self._name = name

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        with self._folder.held(self._name):
            await super().__call__(scope, receive, send)


def _clip(backend: Backend, query: OneEvent) -> Any:
    event = backend.reader.event(query.event_id)
    if event is None or backend.clips is None or not has_clip(backend, event):
        raise RequestError(404, "there is no recording of this event, or no longer")
    return _ClipResponse(backend.clips, event["clip"])


CLIP = (Endpoint("GET", "/api/events/{event_id}/clip", "The recording of an event, FLAC.", _clip, OneEvent),)
