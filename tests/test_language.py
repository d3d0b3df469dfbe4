"""A page is made once for all who open it at the same address, whatever their query says."""

import asyncio

import httpx
import pytest
from starlette.requests import Request
from starlette.responses import HTMLResponse

from imgcls.web.server.language import LanguageMiddleware


@pytest.fixture
def lab():
    made = []

    async def behind(scope, receive, send):
        request = Request(scope)
        made.append((request.url.path, request.url.query, request.headers.get("accept-encoding")))
        page = f"<html><head></head>{request.url}{'x' * 5000}</html>"
        await HTMLResponse(page, 200 if request.url.path == "/en/" else 404)(scope, receive, send)

    return LanguageMiddleware(behind), made


def get(app, *addresses, **headers):
    async def all_at_once():
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app)) as client:
            return await asyncio.gather(*(client.get(address, headers=headers) for address in addresses))

    return asyncio.run(all_at_once())


def test_fifty_who_open_the_page_cost_one_making(lab):
    app, made = lab
    answers = get(app, *(f"http://lab/en/?tab={i}" for i in range(50)))
    assert {answer.text for answer in answers} == {answers[0].text} and len(made) == 1
    assert made == [("/en/", "", None)]
    assert 'lang = "en"' in answers[0].text or "'en'" in answers[0].text
    (plain,) = get(app, "http://lab/en/", **{"Accept-Encoding": "identity"})
    assert plain.text == answers[0].text and "content-encoding" not in plain.headers and len(made) == 1
    assert answers[0].headers["content-encoding"] == "gzip" and "Accept-Encoding" in answers[0].headers["vary"]


def test_another_address_is_another_page(lab):
    app, made = lab
    first, second = get(app, "http://lab/en/", "https://lab/en/")
    assert "http://lab/en/" in first.text and "https://lab/en/" in second.text and len(made) == 2


def test_what_is_no_page_is_not_kept(lab):
    app, made = lab
    for _ in range(2):
        (answer,) = get(app, "http://lab/zh/")
        assert answer.status_code == 404
    assert len(made) == 2
