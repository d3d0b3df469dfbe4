"""What is on its way: bytes counted as they come, silence that ends, room that nobody takes by announcing it."""

import asyncio
import contextlib

import pytest

from imgcls.web.server.traffic import UNREAD_SECONDS, Refused, Traffic

MB = 1_000_000


def traffic(**changed):
    return Traffic(**({"all_uploads": 1000 * MB, "silent_seconds": 0.05} | changed))


def receiving(*pieces, then=None):
    """A `receive` with these pieces of a body, and silence after them."""
    left = list(pieces)

    async def receive():
        if not left:
            await asyncio.sleep(3600)
        return {"type": "http.request", "body": left.pop(0), "more_body": bool(left) or then is None}

    return receive


async def whole(coming, receive):
    """The body as an application reads it."""
    watched, body = coming.watched(receive), b""
    while True:
        message = await watched()
        body += message["body"]
        if not message["more_body"]:
            return body


def test_what_is_announced_takes_no_room_from_others():
    made = traffic()
    with contextlib.ExitStack() as silent:
        for i in range(20):
            silent.enter_context(made.coming("upload", f"10.0.0.{i}", 100 * MB))
        with made.coming("upload", "10.0.0.99", 100 * MB):
            pass
    assert not made.uploads and made.bytes["upload"] == 0


def test_what_has_come_does():
    made = traffic(all_uploads=3 * MB)

    async def upload():
        with made.coming("upload", "a", 2 * MB) as first:
            receive = first.watched(receiving(b"x" * MB, b"x" * MB))
            await receive(), await receive()
            with pytest.raises(Refused, match="no room") as refused, made.coming("upload", "b", 2 * MB):
                pass
            assert refused.value.status == 413
            with made.coming("upload", "b", MB) as second:
                assert len(await whole(second, receiving(b"x" * MB, then="end"))) == MB

    asyncio.run(upload())
    assert made.bytes["upload"] == 0
    with pytest.raises(Refused), made.coming("upload", "a", 2 * MB, stored=2 * MB):
        pass


def test_of_the_room_for_uploads_one_address_takes_its_share():
    now = [0.0]
    made = traffic(all_uploads=8 * MB, each_kept=2 * MB, kept_seconds=3300.0, clock=lambda: now[0])

    async def upload(client, *pieces):
        with made.coming("upload", client, sum(map(len, pieces))) as coming:
            return len(await whole(coming, receiving(*pieces, then="end")))

    assert asyncio.run(upload("a", b"x" * MB, b"x" * 500_000)) == 1_500_000
    now[0] = 3000.0  # what it has uploaded is still kept
    with pytest.raises(Refused, match="from this address") as refused:
        asyncio.run(upload("a", b"x" * MB))
    assert refused.value.status == 413
    assert asyncio.run(upload("b", b"x" * MB, b"x" * MB)) == 2 * MB
    with made.coming("upload", "c", 1) as first, made.coming("upload", "c", 1) as second:  # counted as it comes
        asyncio.run(whole(first, receiving(b"x" * MB, b"x" * MB, then="end")))
        with pytest.raises(Refused):
            asyncio.run(whole(second, receiving(b"x", then="end")))
    now[0] = 3301.0
    assert asyncio.run(upload("a", b"x" * MB, b"x" * MB)) == 2 * MB


@pytest.mark.parametrize("sent", [(), (b"x" * 10,)])
def test_who_falls_silent_is_let_go(sent):
    made = traffic()

    async def upload():
        with made.coming("upload", "a", MB) as coming, pytest.raises(Refused) as refused:
            await whole(coming, receiving(*sent))
        assert refused.value.status == 408 and coming.refused is refused.value

    asyncio.run(upload())
    assert not made.uploads


def test_who_trickles_is_let_go():
    now = [0.0]
    made = traffic(clock=lambda: now[0], silent_seconds=1.0)

    async def receive():
        now[0] += 0.9
        return {"type": "http.request", "body": b"x", "more_body": True}

    async def upload():
        with made.coming("upload", "a", MB) as coming, pytest.raises(Refused):
            await whole(coming, receive)
        assert coming.come < 150

    asyncio.run(upload())


def test_an_address_has_so_many_uploads_on_their_way():
    made = traffic(each_uploads=2)
    with made.coming("upload", "a", 5), made.coming("upload", "a", 5), made.coming("upload", "b", 5):
        with pytest.raises(Refused) as refused, made.coming("upload", "a", 5):
            pass
        assert refused.value.status == 429
    with made.coming("upload", "a", 5):
        pass


def test_events_of_a_minute_have_a_limit_for_each_address_and_for_all():
    now = [0.0]
    made = traffic(clock=lambda: now[0], events=3 * MB, each_events=2 * MB)

    def ask(client):
        with made.coming("event", client, MB):
            pass

    ask("a"), ask("a")
    with pytest.raises(Refused):
        ask("a")
    ask("b")
    with pytest.raises(Refused) as refused:
        ask("c")
    assert refused.value.status == 429
    now[0] = UNREAD_SECONDS + 1
    ask("a"), ask("c")


def test_who_does_not_read_an_answer_is_let_go():
    async def send(message):
        await asyncio.sleep(3600)

    async def answer():
        with pytest.raises(Refused):
            await traffic().sent(send, {"type": "http.response.body", "body": b"x", "more_body": True})

    asyncio.run(answer())
