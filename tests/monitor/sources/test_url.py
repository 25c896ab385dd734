"""No secret of a URL is shown, wherever a user or a camera put it."""

from __future__ import annotations

from urllib.parse import quote, unquote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.sources.url import masked, without_secrets


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("rtsp://user:pw@camera/stream", "rtsp://***@camera/stream"),
        ("rtsp://user:p@w@camera/stream", "rtsp://***@camera/stream"),
        ("rtsp://user:se/cret1@camera:9/x", "rtsp://***@camera:9/x"),
        ("rtsp://user:se cret1@camera/x", "rtsp://***@camera/x"),
        ("rtsp:/user:cret1@camera/x", "rtsp:/***@camera/x"),
        ("rtsp://token@camera/x", "rtsp://***@camera/x"),
        ("rtsp://camera/user=admin&password=cret1&channel=1", "rtsp://camera/user=admin&password=***&channel=1"),
        ("http://camera/flv?app=bcs&user=admin&password=cret1", "http://camera/flv?app=bcs&user=admin&password=***"),
        ("http://camera/live?Auth_Token=cret1#x", "http://camera/live?Auth_Token=***#x"),
        ("rtsp://camera/a@b", "rtsp://camera/a@b"),
        ("http://radio.example/stream.mp3?bitrate=128", "http://radio.example/stream.mp3?bitrate=128"),
    ],
)  # fmt: skip
def test_only_secrets_are_masked(url: str, shown: str) -> None:
    assert masked(url) == shown


@given(st.text(st.sampled_from("abc1%/?#@: &=;"), min_size=4))
def test_no_password_survives_in_what_ffmpeg_says(middle: str) -> None:
    password = f"s3cret{middle}"
    for written in (password, quote(password)):
        url = f"rtsp://user:{written}@camera:554/live"
        said = f"{url}: failed to resolve user; [rtsp @ 0x1] {unquote(written)}: Invalid argument"
        for text in (masked(url), without_secrets(said, url)):
            assert "s3cret" not in text


def test_another_urls_password_is_masked_too() -> None:
    assert without_secrets("moved to http://u:p@b/y", "http://a/x") == "moved to http://***@b/y"
