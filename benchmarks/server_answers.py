"""How many drawings a second the lab's server reads, asked as an open page asks for a network that it cannot compute.

Several connections, kept open, each with its next drawing as soon as its last one is answered. `python -m
benchmarks.latency` runs it; the clients' own processor time is on the same cores, and is said.
"""

from __future__ import annotations

import asyncio
import base64
import io
import json
import statistics
import time

import psutil

from imgcls.imaging.strokes import render
from tests.drawings import UJI

CHECKPOINT = "lenet-digits/best"
CLIENTS = 8
DRAWINGS = 60
SETTLE = 2.0  # seconds that do not count


def measure(url: str, server: int, seconds: float = 8.0) -> dict[str, float]:
    """`url`: of the page, http://127.0.0.1:PORT/en/; `server`: the process that serves it."""
    asked = _requests(url)
    asyncio.run(_all(url, asked, SETTLE))
    process, own = psutil.Process(server), time.process_time()
    began, used = time.monotonic(), sum(process.cpu_times()[:2])
    took = asyncio.run(_all(url, asked, seconds))
    passed, used = time.monotonic() - began, sum(process.cpu_times()[:2]) - used
    return {
        "answers_per_second": len(took) / passed,
        "server_ms_of_processor": 1000 * used / len(took),
        "clients_ms_of_processor": 1000 * (time.process_time() - own) / len(took),
        "answer_ms_median": 1000 * statistics.median(took),
        "answer_ms_95": 1000 * statistics.quantiles(took, n=20)[-1],
    }


def _requests(url: str) -> list[bytes]:
    """What the pad sends at each stroke, as whole HTTP requests."""
    made, host = [], url.split("/")[2]
    for drawing in UJI[:DRAWINGS]:
        file = io.BytesIO()
        render(drawing["strokes"], side=196, width=14).point(lambda v: 255 - v).save(file, "PNG")
        picture = "data:image/png;base64," + base64.b64encode(file.getvalue()).decode()
        body = json.dumps({"drawing": picture, "checkpoint": CHECKPOINT}).encode()
        head = (
            f"POST /drawn/en HTTP/1.1\r\nHost: {host}\r\nContent-Type: application/json\r\n"
            f"Sec-Fetch-Site: same-origin\r\nContent-Length: {len(body)}\r\n\r\n"
        )
        made.append(head.encode() + body)
    return made


async def _all(url: str, asked: list[bytes], seconds: float) -> list[float]:
    """Seconds that each answer took."""
    took: list[float] = []
    until = time.monotonic() + seconds
    port = int(url.split(":")[2].split("/")[0])
    await asyncio.gather(*(_client(port, asked[start::CLIENTS], until, took) for start in range(CLIENTS)))
    return took


async def _client(port: int, asked: list[bytes], until: float, took: list[float]) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    turn = 0
    while time.monotonic() < until:
        began = time.monotonic()
        writer.write(asked[turn % len(asked)])
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").lower()
        length = next(int(line.split(":")[1]) for line in head.split("\r\n") if line.startswith("content-length"))
        body = await reader.readexactly(length)
        if head.split()[1] != "200" or b"answer-label" not in body:
            raise SystemExit(f"The lab answered {head.split()[1]}: {body[:200]!r}")
        took.append(time.monotonic() - began)
        turn += 1
    writer.close()
