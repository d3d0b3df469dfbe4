"""A page is made once for all who open it at the same address, whatever their query says."""

import asyncio

import httpx
import pytest
from starlette.requests import Request
from starlette.responses import HTMLResponse

from imgcls.web.server import language
from imgcls.web.server.language import LanguageMiddleware
from imgcls.web.shared.work_gate import Busy


@pytest.fixture
def lab():
    made = []

    async def behind(scope, receive, send):
        request = Request(scope)
        made.append((request.url.path, request.url.query, request.headers.get("accept-encoding")))
        page = f"<html><head></head>{request.url} said: {request.headers.items()}{'x' * 5000}</html>"
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


def test_every_port_of_an_address_costs_no_page(lab):
    app, made = lab
    for packed in ("gzip", "identity"):
        answers = get(app, *(f"http://lab:{port}/en/" for port in range(8001, 8101)), **{"Accept-Encoding": packed})
        assert all(f"http://lab:{port}/en/" in answer.text for port, answer in enumerate(answers, 8001))
    assert len(made) == 1 and len(app._packed) == language.PAGES


def test_who_names_every_port_keeps_nobody_waiting(lab, monkeypatch):
    """The gate has the addresses take turns."""
    users = []

    async def work(kind, key, make, user=""):
        users.append(user)
        if user == "10.0.0.9":
            raise Busy
        return make()

    monkeypatch.setattr(language, "work", work)

    async def ask(client):
        transport = httpx.ASGITransport(lab[0], client=(client, 4711))
        async with httpx.AsyncClient(transport=transport) as browser:
            return await browser.get("http://lab/en/")

    full, other = (asyncio.run(ask(client)) for client in ("10.0.0.9", "10.0.0.10"))
    assert users == ["10.0.0.9", "10.0.0.10"] and full.text == other.text
    assert "content-encoding" not in full.headers and other.headers["content-encoding"] == "gzip"


@pytest.mark.parametrize(
    "name", ["X-Forwarded-Host", "X-Forwarded-Proto", "X-Gradio-Server", "Cookie", "Accept-Encoding"]
)
def test_nothing_that_one_browser_says_is_in_everybody_s_page(lab, name):
    app, _ = lab
    (answer,) = get(app, "http://lab/en/", **{name: "https://elsewhere.example"})
    assert "said: [('host', 'lab')]" in answer.text


@pytest.mark.parametrize("host", ['a"b', "a<b", "a b", "é", "x" * 300])
def test_a_host_that_can_be_none_is_refused(lab, host):
    app, made = lab
    (answer,) = get(app, "http://lab/en/", Host=host.encode())
    assert answer.status_code == 400 and not made


def test_what_is_no_page_is_not_kept(lab):
    app, made = lab
    for _ in range(2):
        (answer,) = get(app, "http://lab/zh/")
        assert answer.status_code == 404
    assert len(made) == 2
