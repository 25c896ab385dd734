"""A microphone service of the package ``wyoming``, as a process: a recording to each client that connects.

    python wyoming_microphone.py HOST:PORT FILE [--stop]

With ``--stop`` it says audio-stop at the end of the recording; else it stays silent.
"""

from __future__ import annotations

import asyncio
import sys
import time
from functools import partial
from typing import Any

import soundfile
from wyoming.audio import AudioChunk, AudioStart, AudioStop
from wyoming.event import Event
from wyoming.server import AsyncEventHandler, AsyncServer

CHUNK = 1024


class Microphone(AsyncEventHandler):
    """Sends the recording as fast as it is taken."""

    def __init__(self, file: str, stops: bool, *streams: Any) -> None:
        super().__init__(*streams)
        self._file, self._stops = file, stops
        self._task = asyncio.create_task(self._play())

    async def handle_event(self, event: Event) -> bool:
        return True

    async def _play(self) -> None:
        samples, rate = soundfile.read(self._file, dtype="int16", always_2d=True)
        form = {"rate": rate, "width": 2, "channels": samples.shape[1]}
        await self.write_event(AudioStart(**form, timestamp=time.monotonic_ns()).event())
        for start in range(0, len(samples), CHUNK):
            audio = samples[start : start + CHUNK].tobytes()
            await self.write_event(AudioChunk(**form, audio=audio, timestamp=time.monotonic_ns()).event())
        if self._stops:
            await self.write_event(AudioStop().event())


async def serve(address: str, file: str, *options: str) -> None:
    server = AsyncServer.from_uri(f"tcp://{address}")
    await server.start(partial(Microphone, file, "--stop" in options))
    print("ready", flush=True)
    await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(serve(*sys.argv[1:]))
