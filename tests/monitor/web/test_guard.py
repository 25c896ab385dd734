"""Whom the server answers: names of ours, pages of the same origin, those who know the password."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.web.guard import COOKIE, MOST_BYTES, Refusal, Request, Rules, host_of

OPEN = Rules()
CLOSED = Rules(names=("sounds.example.org",), password="correct horse")


def status(
    rules: Rules,
    method: str = "GET",
    path: str = "/",
    *,
    websocket: bool = False,
    client: str | None = None,
    **headers: str,
) -> int:
    """The status of a refusal; 200 when there is none."""
    named = {name.replace("_", "-"): value for name, value in {"host": "localhost:8099", **headers}.items()}
    refusal = rules.judge(Request(method, path, named, websocket, client))
    return 200 if refusal is None else refusal.status


@pytest.mark.parametrize(
    "host",
    [
        "localhost",
        "localhost:8099",
        "LOCALHOST:8099",
        "127.0.0.1:8099",
        "[::1]:8099",
        "192.168.1.7",
        "pi",
        "pi.local:80",
    ],
)
def test_names_that_only_their_owner_can_point_here_are_ours(host: str) -> None:
    assert status(OPEN, host=host) == 200


@pytest.mark.parametrize(
    "host",
    [
        "evil.example",
        "evil.example:8099",
        "",
        "localhost.evil.example",
        "a@localhost",
        "localhost/x",
        "::1",
        "[::1",
    ],
)
def test_other_names_are_refused_whatever_else_the_request_says(host: str) -> None:
    assert status(OPEN, host=host) == 403
    assert status(CLOSED, host=host, authorization="Bearer correct horse") == 403


def test_configured_names_are_ours() -> None:
    assert CLOSED.knows("sounds.example.org")
    assert not OPEN.knows("sounds.example.org")


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        ({}, 200),
        ({"origin": "http://localhost:8099"}, 200),
        ({"origin": "http://localhost:9000"}, 403),
        ({"origin": "http://evil.example"}, 403),
        ({"origin": "null"}, 403),
        ({"sec_fetch_site": "cross-site"}, 403),
        ({"sec_fetch_site": "same-site", "origin": "http://localhost:8099"}, 403),
        ({"sec_fetch_site": "same-origin", "origin": "https://home.example"}, 200),
    ],
)
def test_what_changes_something_must_come_from_the_same_origin(
    headers: dict[str, str], expected: int
) -> None:
    for method in ("POST", "DELETE", "PUT", "PATCH"):
        assert status(OPEN, method, "/api/verdicts", **headers) == expected
    assert status(OPEN, "GET", "/api/live", websocket=True, **headers) == expected
    assert status(OPEN, "GET", "/api/events", **headers) == 200


def test_without_the_password_only_public_paths_answer() -> None:
    assert status(CLOSED) == 401
    assert status(CLOSED, path="/api/events") == 401
    assert status(CLOSED, path="/metrics") == 401
    assert status(CLOSED, path="/api/live", websocket=True) == 401
    for path in ("/healthz", "/login", "/static/app.css"):
        assert status(CLOSED, path=path) == 200


def test_the_password_or_its_cookie_opens() -> None:
    assert status(CLOSED, authorization="Bearer correct horse") == 200
    assert status(CLOSED, authorization="bearer correct horse") == 200
    assert status(CLOSED, cookie=f"other=1; {COOKIE}={CLOSED.session()}") == 200


@pytest.mark.parametrize(
    "headers",
    [
        {"authorization": "Bearer wrong"},
        {"authorization": "Basic correct horse"},
        {"authorization": "Bearer "},
        {"cookie": f"{COOKIE}={Rules(password='another').session()}"},
        {"cookie": f"{COOKIE}={Rules().session()}"},
        {"cookie": f"{COOKIE}="},
        {"cookie": "\x00;;=,"},
    ],
)
def test_forged_tokens_do_not(headers: dict[str, str]) -> None:
    assert status(CLOSED, **headers) == 401


def test_a_large_body_is_refused_before_it_is_read() -> None:
    assert status(OPEN, "POST", content_length=str(MOST_BYTES)) == 200
    for length in (str(MOST_BYTES + 1), "9" * 400, "-1", "x"):
        assert status(OPEN, "POST", content_length=length) == 413


@given(st.text(max_size=40), st.text(max_size=40), st.text(max_size=40))
def test_no_header_breaks_the_judge(host: str, cookie: str, origin: str) -> None:
    request = Request(
        "POST", "/", {"host": host, "cookie": cookie, "origin": origin, "authorization": cookie}
    )
    for rules in (OPEN, CLOSED):
        refusal = rules.judge(request)
        assert refusal is None or isinstance(refusal, Refusal)
    assert host_of(host) == host_of(host).lower()


PROXIED = Rules(proxies=frozenset({"172.30.32.2"}))


@pytest.mark.parametrize("rules", [PROXIED, Rules(password="x", proxies=frozenset({"172.30.32.2"}))])
def test_a_trusted_proxy_answers_for_name_and_person(rules: Rules) -> None:
    assert status(rules, client="172.30.32.2", host="home.example.org") == 200
    assert status(rules, "POST", client="172.30.32.2", sec_fetch_site="cross-site") == 403


def test_without_a_password_only_the_proxy_and_this_machine_are_served() -> None:
    assert status(PROXIED, client="172.30.32.3") == 403
    assert status(PROXIED, client=None) == 403
    assert status(PROXIED, client="127.0.0.1") == 200
    assert status(PROXIED, client="172.30.32.3", path="/healthz") == 200


def test_a_client_cannot_claim_to_be_the_proxy() -> None:
    forged = {"x_forwarded_for": "172.30.32.2", "forwarded": "for=172.30.32.2"}
    assert status(PROXIED, client="10.0.0.9", **forged) == 403
