"""The doors before the page: which hosts, origins, proxies, sizes and passwords come in. Nothing behind them matters
here, so what stands behind is a small application that says what reached it."""

import base64
import dataclasses
import sys

import gradio as gr
import pytest
from fastapi import FastAPI, Request
from hypothesis import example, given
from hypothesis import strategies as st
from starlette.datastructures import Headers
from starlette.testclient import TestClient
from starlette.websockets import WebSocketDisconnect

from imgcls.errors import SettingsError
from imgcls.web.server.gradio_internals import Sessions
from imgcls.web.server.hosting import hosting
from imgcls.web.server.security import REFILL_S, TRIES, WrongPasswords, foreign, guard, knows, small

LAB = "http://127.0.0.1:7860"


def doors(env=None, client="127.0.0.1", stored=lambda: 0, **changed):
    app = FastAPI()

    @app.api_route("/{path:path}", methods=["GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS"])
    async def reached(path: str, request: Request):
        return {
            "host": request.headers["host"],
            "scheme": request.url.scheme,
            "client": request.client.host,
            "headers": sorted(request.headers),
        }

    guard(app, dataclasses.replace(hosting(env=env or {}), **changed), stored)
    return TestClient(app, base_url=LAB, client=(client, 4711))


AT_HOME = doors()


# Python 3.10's last Starlette refuses capital letters.
CAPITALS = ["LOCALHOST"] if sys.version_info >= (3, 11) else []


@pytest.mark.parametrize("host", ["127.0.0.1:7860", "localhost:9", *CAPITALS, "[::1]:7860"])
def test_this_computers_own_names_are_answered(host):
    assert doors().get("/", headers={"Host": host}).status_code == 200


@given(st.text(st.characters(min_codepoint=33, max_codepoint=126), max_size=300))
@example("evil.example")
@example("127.0.0.1.evil.example")
@example("127.0.0.1@evil.example")
@example("")
def test_any_other_host_is_refused(host):
    own = ("127.0.0.1", "localhost", "[::1]")
    if host.lower() not in own and host.rpartition(":")[0].lower() not in own:
        assert AT_HOME.get("/", headers={"Host": host}).status_code == 400


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "http://evil.example"},
        {"Origin": "null"},
        {"Origin": ""},
        {"Origin": "http://["},
        {"Origin": "http://127.0.0.1:7861"},
        {"Origin": "http://127.0.0.1.evil.example:7860"},
        {"Origin": "http://evil.example", "X-Forwarded-Host": "evil.example"},
        {"Origin": "http://evil.example", "X-Forwarded-Host": "evil.example", "Sec-Fetch-Site": "same-origin"},
        {"Sec-Fetch-Site": "cross-site"},
    ],
)
def test_another_page_changes_nothing_here(headers):
    for method in ("POST", "PUT", "DELETE"):
        assert doors().request(method, "/en/gradio_api/queue/join", headers=headers).status_code == 403


def test_another_page_gets_no_preflight_and_reads_nothing():
    for headers in ({"Origin": "http://evil.example"}, {"Origin": "null"}):
        asked = headers | {"Access-Control-Request-Method": "POST", "X-Forwarded-Host": "evil.example"}
        for got in (doors().options("/en/", headers=asked), doors().get("/en/", headers=headers)):
            assert got.status_code == 403 and not [name for name in got.headers if name.startswith("access-control")]


def test_the_labs_own_page_and_programs_come_in():
    own = {"Origin": LAB, "Sec-Fetch-Site": "same-origin"}
    assert doors().post("/", headers=own).status_code == 200
    assert doors().post("/").status_code == 200  # a program: no browser has made it ask
    link = {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate"}
    assert doors().get("/en/", headers=link).status_code == 200


SAID = {"X-Forwarded-Host": "lab.example.org", "X-Forwarded-Proto": "https", "X-Forwarded-For": "203.0.113.7"}


def test_what_a_stranger_says_for_a_proxy_reaches_nobody():
    told = SAID | {"Forwarded": "host=evil.example", "X-Gradio-Server": "http://evil.example", "X-Real-IP": "1.1.1.1"}
    for env, client in (({}, "127.0.0.1"), ({"IMGCLS_TRUSTED_PROXY": "10.0.0.0/8"}, "192.0.2.1")):
        got = doors(env, client).get("/", headers=told).json()
        assert (got["host"], got["scheme"], got["client"]) == ("127.0.0.1:7860", "http", client)
        assert not {"forwarded", "x-gradio-server", "x-real-ip", "x-forwarded-host"} & set(got["headers"])


@pytest.mark.parametrize("trusted", ["10.1.2.3", "10.0.0.0/8", "192.0.2.1, 10.0.0.0/8", "*"])
def test_a_proxy_that_is_trusted_is_believed(trusted):
    env = {"IMGCLS_TRUSTED_PROXY": trusted, "IMGCLS_ALLOWED_HOSTS": "lab.example.org"}
    client = doors(env, "10.1.2.3")
    got = client.get("/", headers=SAID).json()
    assert (got["host"], got["scheme"], got["client"]) == ("lab.example.org", "https", "203.0.113.7")
    assert client.post("/", headers=SAID | {"Origin": "https://lab.example.org"}).status_code == 200
    assert client.post("/", headers=SAID | {"Origin": "https://evil.example"}).status_code == 403
    # The name it passes on has to be one of the lab's, too.
    assert client.get("/", headers=SAID | {"X-Forwarded-Host": "evil.example"}).status_code == 400


def test_a_space_needs_no_setting_for_its_proxy():
    client = doors({"SPACE_ID": "someone/lab"}, "10.9.9.9")
    told = SAID | {"Host": "someone-lab.hf.space", "X-Forwarded-Host": "someone-lab.hf.space"}
    assert client.post("/", headers=told | {"Origin": "https://someone-lab.hf.space"}).json()["scheme"] == "https"


@pytest.mark.parametrize(
    ("trusted", "told", "client"),
    [
        ("*", "1.1.1.1, 203.0.113.7", "203.0.113.7"),  # what a visitor wrote stands before what the proxy saw
        ("*", "1.1.1.1, 192.168.0.5", "192.168.0.5"),
        ("*", " , 203.0.113.7 ,", "203.0.113.7"),
        ("*", ",", "10.9.9.9"),
        ("10.0.0.0/8", "1.1.1.1, 203.0.113.7, 10.0.0.2", "203.0.113.7"),
        ("*, 10.0.0.0/8", "1.1.1.1, 203.0.113.7, 10.0.0.2", "203.0.113.7"),
        ("*, 10.0.0.0/8", "10.0.0.1, 10.0.0.2", "10.0.0.2"),
        (None, "1.1.1.1, 203.0.113.7", "203.0.113.7"),  # a Space
        (None, "1.1.1.1, 203.0.113.7, 10.16.3.80", "203.0.113.7"),
    ],
)
def test_nobody_chooses_the_address_that_a_lab_knows_him_by(trusted, told, client):
    env = {"IMGCLS_TRUSTED_PROXY": trusted} if trusted else {"SPACE_ID": "someone/lab"}
    asked = {"X-Forwarded-For": told, "Host": "127.0.0.1"}
    assert doors(env, "10.9.9.9").get("/", headers=asked).json()["client"] == client
    twice = [("Host", "127.0.0.1"), *(("X-Forwarded-For", one) for one in told.split(",") if one.strip())]
    assert doors(env, "10.9.9.9").get("/", headers=twice).json()["client"] == client


@pytest.mark.parametrize("named", ["lab.example.org", "10.0.0.0/99", "10.0.0.1,,x"])
def test_a_proxy_is_an_address(named):
    with pytest.raises(SettingsError, match="IMGCLS_TRUSTED_PROXY names"):
        hosting(env={"IMGCLS_TRUSTED_PROXY": named})


@pytest.mark.parametrize("named", ["lab*.example.org", "http://lab.example.org", "ok.org,*x"])
def test_a_host_is_a_name(named):
    with pytest.raises(SettingsError, match="IMGCLS_ALLOWED_HOSTS names"):
        hosting(env={"IMGCLS_ALLOWED_HOSTS": named})
    assert doors({"IMGCLS_ALLOWED_HOSTS": "*.example.org"}).get("/", headers={"Host": "a.example.org"}).is_success


@pytest.mark.parametrize("mount", ["", "/en", "/zh"])
def test_only_uploads_are_large(mount):
    client = doors({"SPACE_ID": "x/y"})
    client.headers["Host"] = "127.0.0.1"
    big, bigger = {"Content-Length": "50000000"}, {"Content-Length": "101000000"}
    assert client.post(f"{mount}/gradio_api/upload", headers=big).status_code == 200
    assert client.post(f"{mount}/gradio_api/upload?upload_id=x", headers=big).status_code == 200
    assert client.post(f"{mount}/gradio_api/upload", headers=bigger).status_code == 413
    for path in ("/gradio_api/queue/join", "/gradio_api/upload/x", "/gradio_api/uploads", "/upload"):
        for method in ("POST", "PUT", "DELETE"):
            assert client.request(method, mount + path, headers=big).status_code == 413


def test_uploads_are_limited_in_sum():
    kept = [0]
    client = doors({"SPACE_ID": "x/y"}, stored=lambda: kept[0])
    client.headers["Host"] = "127.0.0.1"
    upload = {"Content-Length": "50000000"}
    for kept[0], status in ((949_000_000, 200), (951_000_000, 413), (0, 200)):
        assert client.post("/en/gradio_api/upload", headers=upload).status_code == status
    kept[0] = 2_000_000_000
    assert client.post("/en/gradio_api/queue/join", headers={"Content-Length": "5"}).status_code == 200


@given(st.one_of(st.text(max_size=5000), st.integers().map(str)))
def test_a_length_is_a_small_number_or_refused(length):
    said = small(Headers({"content-length": length.encode("ascii", "replace").decode()}), 1000)
    assert said == (length.isascii() and length.isdigit() and len(length) < 20 and int(length) <= 1000)
    assert not small(Headers({"content-length": "5", "transfer-encoding": "chunked"}), 1000)
    assert not small(Headers({}), 1000)


def basic(password, user="me"):
    return {"Authorization": "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()}


@pytest.mark.parametrize("password", ["tell nobody", "geheim:mit:Punkten", "口令", "x" * 1000])
def test_the_password_is_asked_for(password):
    client = doors(password=password)
    got = client.get("/en/")
    assert got.status_code == 401 and got.headers["WWW-Authenticate"].startswith("Basic")
    assert client.get("/en/", headers=basic(password)).status_code == 200
    assert client.post("/gradio_api/call/train", headers=basic(password)).status_code == 200
    for wrong in (basic(password + "x"), basic(password[:-1]), basic(""), basic("", user=password)):
        assert client.get("/en/", headers=wrong).status_code == 401


@pytest.mark.parametrize(
    "said", ["Basic", "Basic ", "Basic !!!", "Basic 4pyT", "Bearer x", "basic", "Basic " + "A" * 99_999]
)
def test_what_is_no_password_is_wrong(said):
    assert doors(password="tell nobody").get("/", headers={"Authorization": said}).status_code == 401


@given(st.text(max_size=200))
def test_no_text_but_the_password_opens(text):
    from hashlib import sha256

    encoded = base64.b64encode(f"me:{text}".encode("utf-8", "surrogatepass")).decode()
    assert knows(f"Basic {encoded}", sha256(b"word").digest()) == (text == "word")


def test_guessing_is_slow_for_who_guesses_only():
    app = doors(password="tell nobody", env={"IMGCLS_TRUSTED_PROXY": "*"})
    guesser, other = ({"X-Forwarded-For": address} for address in ("203.0.113.7", "203.0.113.8"))
    for _ in range(TRIES):
        assert app.get("/", headers=basic("guess") | guesser).status_code == 401
    got = app.get("/", headers=basic("guess") | guesser)
    assert got.status_code == 429 and 0 < int(got.headers["Retry-After"]) <= REFILL_S
    # A class behind one router is not locked out by one of its pupils.
    for who in (guesser, other):
        assert app.get("/", headers=basic("tell nobody") | who).status_code == 200
    assert app.get("/", headers=guesser).status_code == 401  # a browser that has not been asked yet


def test_a_guesser_may_try_again_after_a_while():
    now = [1000.0]
    wrong = WrongPasswords(clock=lambda: now[0])
    for _ in range(TRIES):
        assert wrong.wait("a") == 0
        wrong.count("a")
    assert wrong.wait("a") == pytest.approx(REFILL_S)
    now[0] += REFILL_S
    assert wrong.wait("a") == 0
    wrong.count("a")
    assert wrong.wait("a") == pytest.approx(REFILL_S)
    for i in range(TRIES):  # one house of IPv6 is one visitor
        wrong.count(f"2001:db8::{i}")
    assert wrong.wait("2001:db8::ffff") > 0 and wrong.wait("2001:db8:1::") == 0
    for _ in range(TRIES):  # as IPv4 comes to a lab that listens on "::"
        wrong.count("::ffff:10.0.0.66")
    assert wrong.wait("10.0.0.66") > 0 and wrong.wait("::ffff:10.0.0.1") == 0


@given(st.text(max_size=300), st.sampled_from(["GET", "POST"]))
def test_no_origin_but_the_labs_own_is_at_home(origin, method):
    sent = origin.encode("latin-1", "replace").decode("latin-1")
    if sent.partition("://")[2].lower() != "lab:7860":
        assert foreign(method, Headers(raw=[(b"host", b"lab:7860"), (b"origin", sent.encode("latin-1"))]))


def test_a_trusted_proxy_is_known_as_it_comes_to_a_lab_on_all_addresses():
    client = doors({"IMGCLS_TRUSTED_PROXY": "10.0.0.0/8"}, "::ffff:10.1.2.3")
    assert client.get("/", headers={"X-Forwarded-For": "203.0.113.7"}).json()["client"] == "203.0.113.7"


def test_only_a_space_is_framed_and_every_answer_carries_the_policy():
    for env, framed in (({}, False), ({"IMGCLS_HOST": "0.0.0.0"}, False), ({"SPACE_ID": "x/y"}, True)):
        client = doors(env | {"IMGCLS_PASSWORD": "p"})
        for headers, status in (({}, 401), ({"Host": "evil.example"}, 400), (basic("p"), 200)):
            got = client.get("/", headers={"Host": "127.0.0.1"} | headers)
            policy = got.headers["Content-Security-Policy"]
            assert got.status_code == status and "form-action 'self'" in policy
            assert ("hf.space" in policy) == framed and "frame-ancestors 'self'" in policy


def test_no_websocket_comes_in():
    reached = []

    async def behind(scope, receive, send):
        reached.append(scope["type"])

    app = FastAPI()
    app.mount("/", behind)
    guard(app, hosting(env={}))
    with pytest.raises(WebSocketDisconnect), TestClient(app, base_url=LAB).websocket_connect("/"):
        pass
    assert not reached


UNUSED = (
    "deep_link?session_hash=x", "custom_component/x/client/a/b", "dev/reload", "vibe-code", "runs",
    "run-history/buckets", "process_recording", "token", "",
)  # fmt: skip
USED = ("upload_progress?upload_id=x", "queue/data?session_hash=x", "info", "heartbeat/x", "file=/x", "theme.css")


@pytest.mark.parametrize("page", ["", "/en", "/zh"])
def test_what_no_page_asks_of_gradio_is_refused(page):
    client = doors()
    for path in UNUSED:
        assert client.get(f"{page}/gradio_api/{path}").status_code == 404, path
    for path in ("monitoring", "monitoring/summary", "login", "logout"):
        assert client.get(f"{page}/{path}").status_code == 404, path
    for path in USED:
        assert client.get(f"{page}/gradio_api/{path}").status_code == 200, path


def test_an_event_brings_less_than_a_batch_of_pictures():
    client = doors()
    for path, most in (("queue/join", 2), ("run/predict", 2), ("call/classify", 2), ("component_server", 8)):
        for length, status in ((most * 1_000_000, 200), (most * 1_000_000 + 1, 413)):
            answer = client.post(f"/en/gradio_api/{path}", content=b"x" * length)
            assert answer.status_code == status, (path, length)


def test_one_address_leaves_others_half_of_the_events_that_may_wait():
    with gr.Blocks() as page:
        gr.Button().click(lambda: None, api_name="press")
    page.queue(max_size=8)
    sessions = Sessions()
    sessions.add("/en", page)
    app = gr.mount_gradio_app(FastAPI(), page, path="/en", ssr_mode=False)
    shared = hosting(env={"SPACE_ID": "x/y", "IMGCLS_ALLOWED_HOSTS": "127.0.0.1"})
    guard(app, dataclasses.replace(shared, trusted_proxies=()), sessions=sessions)

    def press(client):
        asked = {"data": [], "fn_index": 0, "session_hash": client}
        lab = TestClient(app, base_url=LAB, client=(client, 4711))
        return lab.post("/en/gradio_api/queue/join", json=asked).status_code

    # Nothing takes the events up: they wait.
    assert [press("2001:db8::1") for _ in range(4)] == [200] * 4
    assert [press("2001:db8::1"), press("2001:db8::2")] == [429] * 2
    assert [press("192.0.2.7") for _ in range(5)] == [200] * 4 + [429]
