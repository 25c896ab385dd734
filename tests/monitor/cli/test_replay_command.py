"""What ``sound-monitor replay`` promises without a broker."""

from __future__ import annotations

import csv
import json
import os
import shutil
import sqlite3
import struct
import subprocess
import sys
from datetime import datetime, timedelta, timezone
from pathlib import Path

import numpy as np
import pytest
import soundfile
import soxr
from calling import ROOT, STREET, Call

from monitor.delivery.store.lock import ProcessLock
from monitor.sources.files import FileSource


def rows(path: Path) -> list[list[str]]:
    with path.open(encoding="utf-8", newline="") as stream:
        return list(csv.reader(stream))


def scores(path: Path) -> np.ndarray:
    """time_s, level_dbfs and the scores of each row."""
    return np.array([row[1:] for row in rows(path)[1:]], np.float64)


@pytest.fixture
def street() -> np.ndarray:
    samples, _ = soundfile.read(STREET, dtype="int16")
    return samples


def test_two_deterministic_replays_give_the_same_bytes(call: Call, tmp_path):
    replays = [call("replay", STREET, "--json", "--deterministic", "--scores", f"{i}.csv") for i in range(2)]
    assert replays[0].code == 0
    assert replays[0].out == replays[1].out
    assert len(replays[0].json) >= 2
    assert (tmp_path / "0.csv").read_bytes() == (tmp_path / "1.csv").read_bytes()


def test_ordinary_replays_differ_in_ids_alone(call: Call):
    first, second = (call("replay", STREET, "--json").json for _ in range(2))
    assert [record["event_id"] for record in first] != [record["event_id"] for record in second]
    for record in (*first, *second):
        del record["event_id"]
    assert first == second


def test_without_outputs_events_are_told_to_people(call: Call):
    told = call("replay", STREET)
    assert told.code == 0
    records = call("replay", STREET, "--json").json
    assert told.out.splitlines()[0] == str(STREET)
    assert len(told.out.splitlines()) == 1 + len(records)
    assert "siren" in told.out
    assert f"{len(records) // 2} events in 1 file, 0:44 of audio" in told.err


def test_json_scores_and_expect_work_together(call: Call, tmp_path):
    stored = call("replay", STREET, "--json")
    (tmp_path / "list.jsonl").write_text(stored.out)
    result = call("replay", STREET, "--json", "--scores", "s.csv", "--expect", "list.jsonl", "--node", "x")
    assert result.code == 0
    assert [r["label"] for r in result.json] == [r["label"] for r in stored.json]
    assert f"as expected: {len(stored.json)} records" in result.err
    header, *body = rows(tmp_path / "s.csv")
    assert header[:3] == ["file", "time_s", "level_dbfs"]
    assert {"siren", "gun_shot", "background"} <= set(header[3:])
    assert float(body[-1][1]) == 44.0


def test_a_list_that_differs_is_shown_and_exits_1(call: Call, tmp_path):
    stored = call("replay", STREET, "--json").json
    changed = [dict(record) for record in stored[1:]]
    changed[0]["end_s"] += 0.7
    changed.append({**stored[0], "label": "foghorn"})
    (tmp_path / "list.jsonl").write_text("".join(json.dumps(record) + "\n" for record in changed))
    result = call("replay", STREET, "--expect", "list.jsonl")
    assert result.code == 1
    kinds = [line.split()[:3] for line in result.out.splitlines()]
    label = stored[0]["label"]
    assert kinds == [["shifted", "end", label], ["missing", "start", "foghorn"], ["extra", "start", label]]
    (tmp_path / "list.jsonl").write_text(json.dumps(changed[0]) + "\n" + json.dumps(stored[0]) + "\n")
    lenient = call("replay", STREET, "--expect", "list.jsonl", "--time-tolerance", "0.8")
    assert "shifted" not in lenient.out


def test_npz_holds_what_csv_holds(call: Call, tmp_path):
    call("replay", STREET, "--scores", "s.csv")
    call("replay", STREET, "--scores", "s.npz")
    header, *body = rows(tmp_path / "s.csv")
    with np.load(tmp_path / "s.npz") as arrays:
        assert list(arrays["labels"]) == header[3:]
        assert list(arrays["file"]) == [row[0] for row in body]
        columns = [arrays["time_s"], arrays["level_dbfs"], *arrays["scores"].T]
    np.testing.assert_allclose(np.stack(columns, 1), scores(tmp_path / "s.csv"), atol=0.05)
    np.testing.assert_allclose(np.stack(columns[2:], 1), scores(tmp_path / "s.csv")[:, 2:], atol=1e-6)


def test_a_directory_is_each_of_its_files_alone(call: Call, tmp_path, street):
    folder = tmp_path / "recordings"
    (folder / "below").mkdir(parents=True)
    soundfile.write(folder / "a.wav", street[: 15 * 16000], 16000)
    soundfile.write(folder / "below" / "b.flac", street[14 * 16000 :], 16000)
    together = call("replay", folder, "--json", "--scores", "all.csv", "--deterministic").json
    alone, lines = [], []
    for file in (folder / "a.wav", folder / "below" / "b.flac"):
        alone += call("replay", file, "--json", "--scores", "one.csv", "--deterministic").json
        lines += rows(tmp_path / "one.csv")[1:]
    assert rows(tmp_path / "all.csv")[1:] == lines
    assert [record["seq"] for record in together] == list(range(1, len(together) + 1))
    for record in (*alone, *together):
        del record["seq"], record["event_id"]
    assert together == alone
    assert {Path(record["file"]).name for record in together} == {"a.wav", "b.flac"}


@pytest.mark.parametrize(
    ("name", "subtype", "channels"),
    [("a.flac", "PCM_16", 1), ("a.wav", "PCM_24", 2), ("a.wav", "FLOAT", 3), ("a.wav", "DOUBLE", 1)],
)
def test_containers_subtypes_and_equal_channels_change_nothing(
    call: Call, tmp_path, street, name, subtype, channels
):
    samples = np.repeat(street[: 20 * 16000, None], channels, axis=1)
    soundfile.write(tmp_path / "plain.wav", street[: 20 * 16000], 16000)
    soundfile.write(tmp_path / name, samples / 32768.0, 16000, subtype=subtype)
    call("replay", "plain.wav", "--scores", "plain.csv")
    assert call("replay", name, "--scores", "other.csv").code == 0
    np.testing.assert_allclose(scores(tmp_path / "other.csv"), scores(tmp_path / "plain.csv"), atol=2e-3)


@pytest.mark.parametrize("rate", [11025, 44100, 48000, 96000])
def test_other_rates_are_resampled(call: Call, tmp_path, street, rate):
    audio = soxr.resample(street[: 15 * 16000] / 32768.0, 16000, rate)
    soundfile.write(tmp_path / "a.wav", audio, rate)
    assert call("replay", "a.wav", "--scores", "a.csv").code == 0
    table = scores(tmp_path / "a.csv")
    np.testing.assert_allclose(table[:, 0], np.arange(1, 31) * 0.5, atol=2e-3)
    if rate > 16000:
        call("replay", STREET, "--scores", "street.csv")
        # The last row sees the cut.
        np.testing.assert_allclose(table[:-1], scores(tmp_path / "street.csv")[:29], atol=0.1)


def test_the_shortest_file_gives_a_row(call: Call, tmp_path):
    soundfile.write(tmp_path / "a.wav", np.zeros(1), 8000)
    assert call("replay", "a.wav", "--scores", "a.csv").code == 0
    (row,) = rows(tmp_path / "a.csv")[1:]
    assert row[2] == "-120.0"


def test_real_time_changes_nothing_but_the_pace(call: Call, tmp_path, street):
    soundfile.write(tmp_path / "a.wav", street[4 * 16000 : 6 * 16000], 16000)
    call("replay", "a.wav", "--scores", "fast.csv")
    call("replay", "a.wav", "--scores", "paced.csv", "--realtime")
    assert (tmp_path / "paced.csv").read_text() == (tmp_path / "fast.csv").read_text()


def test_a_replay_in_real_time_is_dated_by_now(call: Call, tmp_path, street, monkeypatch):
    monkeypatch.setattr("monitor.stream.replay.paced", lambda blocks, rate, stop: blocks)
    soundfile.write(tmp_path / "a.wav", street, 16000)
    os.utime(tmp_path / "a.wav", (1e9, 1e9))
    began = datetime.now(timezone.utc)
    start = datetime.fromisoformat(call("replay", "a.wav", "--json", "--realtime").json[0]["start"])
    assert began < start < began + timedelta(minutes=1)
    assert call("replay", "a.wav", "--json").json[0]["start"].startswith("2001-09-09")


def test_what_is_odd_about_the_channels_is_said(call: Call, tmp_path, street, caplog):
    piece = street[: 2 * 16000]
    soundfile.write(tmp_path / "inverted.wav", np.stack([piece, -piece], axis=1), 16000)
    soundfile.write(tmp_path / "six.wav", np.stack([piece] * 5 + [0 * piece], axis=1), 16000)
    soundfile.write(tmp_path / "float.wav", 1.0 * piece * 2**15, 16000, subtype="FLOAT")
    result = call("replay", "inverted.wav", "six.wav", "float.wav")
    assert result.code == 0
    for words in (
        "inverted.wav: the channels cancel",
        "six.wav: channel 6 of 6 is silent",
        "float.wav: samples reach",
    ):
        assert words in caplog.text


def test_whatever_fails_in_one_file_the_others_are_replayed(call: Call, tmp_path, street, monkeypatch):
    for name in ("a.wav", "b.wav"):
        soundfile.write(tmp_path / name, street[: 15 * 16000], 16000)
    read = FileSource.blocks

    def blocks(self: FileSource):
        yield from read(self)
        if self.name == "a.wav":
            raise struct.error("never seen\nbefore")

    monkeypatch.setattr(FileSource, "blocks", blocks)
    result = call("replay", "a.wav", "b.wav", "--scores", "s.csv")
    assert result.code == 3
    assert result.complaints == [
        "sound-monitor: a.wav: cannot be replayed to its end (error: never seen before); the other files are"
    ]
    assert {row[0] for row in rows(tmp_path / "s.csv")[1:]} == {"a.wav", "b.wav"}


@pytest.mark.parametrize(
    "arguments", [["config"], ["replay", STREET, "--json"], ["replay", STREET], ["--help"]]
)
def test_a_full_disk_behind_stdout_is_one_line(tmp_path: Path, arguments: list[str]) -> None:
    with Path("/dev/full").open("w") as full:
        ended = subprocess.run(
            [sys.executable, "-m", "monitor", *map(str, arguments)],
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            check=False,
            env={**os.environ, "PYTHONPATH": str(ROOT), "XDG_STATE_HOME": str(tmp_path)},
        )
    assert ended.returncode == 1
    last = ended.stderr.splitlines()[-1]
    assert last.startswith("sound-monitor: standard output cannot be written (No space left on device); make")
    assert "Traceback" not in ended.stderr
    assert "XNNPACK" not in ended.stderr


def test_a_start_time_dates_the_records(call: Call):
    first = call("replay", STREET, "--json", "--start-time", "2026-05-01T22:00:00+02:00").json[0]
    assert first["start"] == f"2026-05-01T20:00:{first['start_s']:06.3f}Z"
    assert first["clock"] == "file"
    both = call("replay", STREET, "--json", "--start-time", "2026-05-01T20:00:00Z", "--deterministic").json
    assert both[0]["start"] == first["start"]
    assert both[0]["clock"] == "deterministic"


def test_bad_files_are_named_and_the_others_run(call: Call, tmp_path, street):
    folder = tmp_path / "recordings"
    folder.mkdir()
    (folder / "a-text.wav").write_text("no audio at all")
    (folder / "b-empty.wav").touch()
    soundfile.write(folder / "c.wav", street[: 15 * 16000], 16000)
    whole = (folder / "c.wav").read_bytes()
    (folder / "d-cut.wav").write_bytes(whole[: len(whole) // 2])
    result = call("replay", folder, "missing.wav", "--json", "--scores", "s.csv")
    assert result.code == 3
    named = [Path(line.split(":")[1].strip()).name for line in result.complaints]
    assert named == ["a-text.wav", "b-empty.wav", "d-cut.wav", "missing.wav"]
    heard = {Path(row[0]).name for row in rows(tmp_path / "s.csv")[1:]}
    assert heard == {"c.wav", "d-cut.wav"}
    assert any(Path(record["file"]).name == "c.wav" for record in result.json)


def test_a_history_is_kept_and_continued(call: Call, tmp_path):
    first = call("replay", STREET, "--json", "--history", "kept/h.db").json
    second = call("replay", STREET, "--json", "--history", "kept/h.db").json
    assert [record["seq"] for record in first + second] == list(range(1, 2 * len(first) + 1))
    # Events are listed by their start, and the second replay begins before the street of the first is over.
    stored = call("events", "--json", "--limit", 0, "--history", "kept/h.db").json
    assert sorted(record["seq"] for record in stored) == list(range(1, 2 * len(first) + 1))
    again = call("replay", STREET, "--history", "kept/h.db", "--deterministic")
    assert (again.code, len(again.complaints)) == (2, 1)
    assert "holds events already" in again.err


def test_a_replay_that_was_killed_is_closed_by_the_next_one(call: Call, tmp_path):
    call("replay", STREET, "--history", "h.db")
    with sqlite3.connect(tmp_path / "h.db") as history:
        history.execute("DELETE FROM events WHERE seq > 1")
        history.execute("INSERT INTO open_starts SELECT seq, event_id FROM events")
    history.close()
    call("replay", STREET, "--history", "h.db")
    start, *later = call("events", "--json", "--limit", 0, "--history", "h.db").json
    (end,) = (record for record in later if record["event_id"] == start["event_id"])
    assert (end["type"], end["reason"]) == ("end", "stopped")


def test_a_history_in_use_is_refused(call: Call, tmp_path):
    with ProcessLock(tmp_path / "h.db"):
        result = call("replay", STREET, "--history", "h.db")
    assert result.code == 2
    assert "another sound-monitor" in result.complaints[0]


def test_the_view_comes_as_lines_where_there_is_no_terminal(call: Call):
    result = call("replay", STREET, "--view", "--json")
    assert len(result.json) >= 2
    lines = [line for line in result.err.splitlines() if " starts " in line or " ends " in line]
    assert len(lines) == len(result.json)
    assert "replay, not published" in result.err


@pytest.fixture
def inputs(tmp_path: Path) -> Path:
    """A folder of things that cannot be used."""
    (tmp_path / "empty.wav").touch()
    (tmp_path / "text.wav").write_text("no audio at all")
    soundfile.write(tmp_path / "nothing.wav", np.zeros(0), 16000)
    (tmp_path / "folder").mkdir()
    (tmp_path / "model.tflite").write_bytes(b"no model at all")
    (tmp_path / "bad.yaml").write_text("events:\n  profil: quiet\n")
    (tmp_path / "broken.yaml").write_text("mqtt: [\n")
    (tmp_path / "list.jsonl").write_text("[]\n")
    return tmp_path


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (("absent.wav",), 3, "absent.wav: cannot be read (No such file"),
        (("empty.wav",), 3, "empty.wav: holds no audio"),
        (("nothing.wav",), 3, "nothing.wav: holds no audio (0 samples)"),
        (("text.wav",), 3, "text.wav: cannot be read as audio"),
        (("folder",), 3, "folder: no audio in this directory"),
        ((STREET, "--start-time", "yesterday"), 2, "--start-time yesterday: write ISO 8601"),
        ((STREET, "--scores", "folder/absent/s.csv"), 2, "folder/absent/s.csv: cannot write (No such"),
        ((STREET, "--scores", "absent/s.npz"), 2, "absent/s.npz: cannot write (No such"),
        ((STREET, "--scores", "s.txt"), 2, "must end in .csv or .npz"),
        ((STREET, "--history", "text.wav/h.db"), 4, "text.wav/h.db"),
        ((STREET, "--history", "text.wav"), 4, "history text.wav: "),
        ((STREET, "--expect", "absent.jsonl"), 2, "absent.jsonl: cannot read the list"),
        ((STREET, "--expect", "list.jsonl"), 2, "list.jsonl:1: not an event record"),
        ((STREET, "--states"), 2, "--states needs --mqtt"),
        ((STREET, "--set", "model.path=model.tflite"), 3, "model.tflite: not a TFLite model"),
        ((STREET, "--set", "model.path=absent.tflite"), 3, "absent.tflite: cannot read the model"),
        (
            (STREET, "--config", "bad.yaml"),
            2,
            "bad.yaml:2: events.profil is no known key; did you mean profile?",
        ),
        ((STREET, "--config", "broken.yaml"), 2, "broken.yaml:2: not valid YAML"),
        ((STREET, "--config", "absent.yaml"), 2, "absent.yaml: cannot read the config"),
        ((STREET, "--set", "events.enabled=[sirn]"), 2, "did you mean siren?"),
        ((STREET, "--set", "events.classes.siren.enter=1.5"), 2, "events.classes.siren.enter is 1.5"),
        ((STREET, "--set", "mqtt.hst=x"), 2, "mqtt.hst is no known key; did you mean host?"),
        ((STREET, "--jsn"), 2, "No such option '--jsn'"),
        ((), 2, "Missing argument"),
        ((STREET, "--time-tolerance", "-1"), 2, "-1"),
    ],
)
def test_what_cannot_be_used_is_named_in_one_line(call: Call, inputs, arguments, code, words):
    result = call("replay", *arguments)
    assert result.code == code, result.err
    assert len(result.complaints) == 1, result.err
    assert words in result.complaints[0]
    assert "Traceback" not in result.err
    assert result.out == ""


def test_a_bug_is_one_line_too_and_debug_shows_where(call: Call, monkeypatch):
    def fail(*_: object) -> None:
        raise ZeroDivisionError("a bug\nof two lines")

    monkeypatch.setattr("monitor.cli.replay.command.assemble", fail)
    result = call("replay", STREET)
    assert result.code == 1
    assert result.complaints == [
        "sound-monitor: unexpected ZeroDivisionError: a bug of two lines; --debug shows where"
    ]
    with pytest.raises(ZeroDivisionError):
        call("replay", STREET, "--debug")


def test_a_name_that_is_no_utf_8_is_shown_escaped_and_the_next_file_still_runs(
    call: Call, tmp_path: Path
) -> None:
    for name in (b"caf\xe9.wav", b"z.wav"):
        shutil.copy(STREET, os.fsencode(tmp_path) + b"/" + name)
    result = call("replay", ".", "--json", "--set", "events.profile=sensitive", "--history", "h.db")
    assert result.code == 0
    assert {record["file"] for record in result.json} == {"caf\\xe9.wav", "z.wav"}
    (tmp_path / "z.wav").write_bytes(b"none")
    os.truncate(os.fsencode(tmp_path) + b"/caf\xe9.wav", 100000)
    broken = call("replay", ".")
    assert broken.code == 3
    assert "caf\\xe9.wav: damaged" in broken.err


def test_a_recording_dated_before_1970_leaves_the_history_readable(call: Call, tmp_path: Path) -> None:
    shutil.copy(STREET, tmp_path / "moth.wav")
    os.utime(tmp_path / "moth.wav", (0, 0))
    call("replay", "moth.wav", "--set", "events.profile=sensitive", "--history", "h.db")
    for arguments in ([], ["--json"], ["--until", "1980-01-01"]):
        listed = call("events", "--history", "h.db", *arguments)
        assert listed.code == 0
        assert "1969-12-31" in listed.out or "1970-01-01" in listed.out


def test_clips_hold_the_recording_around_each_event(call: Call, street: np.ndarray, tmp_path: Path):
    found = call(
        "replay", STREET, "--json", "--deterministic", "--clips", "kept",
        "--set", "clips.skip_speech=false", "--set", "clips.longest_s=12",
    )  # fmt: skip
    assert found.code == 0
    files = sorted((tmp_path / "kept").rglob("*.flac"))
    names = {str(file.relative_to(tmp_path / "kept")) for file in files}
    assert {record["clip"] for record in found.json} == names
    for file in files:
        samples, rate = soundfile.read(file, dtype="int16")
        with soundfile.SoundFile(file) as sound:
            marks = json.loads(sound.comment)
        for mark in marks:
            record = next(one for one in found.json if one["event_id"] == mark["event_id"])
            assert record["label"] == mark["label"]
            first = round((record["start_s"] - mark["onset_s"]) * rate)
            near = [i for i in range(max(0, first - 32), first + 33)
                    if np.array_equal(street[i : i + len(samples)], samples)]  # fmt: skip
            assert near, "the samples of the recording, to the bit"


def test_a_replay_keeps_clips_only_if_asked(call: Call, tmp_path: Path):
    found = call("replay", STREET, "--json", "--set", "clips.enabled=true", "--set", "clips.path=kept")
    assert {record["clip"] for record in found.json} == {None}
    assert not (tmp_path / "kept").exists()


def test_clips_that_cannot_be_kept_are_refused_in_a_line(call: Call, tmp_path: Path):
    (tmp_path / "file").write_text("")
    for words, code, reason in (
        (("--clips", "file/kept"), 4, "clips.path must be"),
        (("--clips", "kept", "--set", "clips.labels=[dog_brk]"), 2, "did you mean dog_bark?"),
        (("--clips", "kept", "--set", "clips.longest_s=10"), 2, "longest_s must be more than"),
    ):
        found = call("replay", STREET, *words)
        assert found.code == code
        assert len(found.complaints) == 1
        assert reason in found.complaints[0]
