"""``sound-monitor tune``: the lines that it prints do in a replay what its tables say."""

from __future__ import annotations

from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest
import yaml
from calling import STREET, Call

from monitor.config.load import load_config


@pytest.fixture
def scores(call: Call) -> Path:
    assert call("replay", STREET, "--scores", "street.csv").code == 0
    return Path("street.csv")


def track(path: str, *lines: str) -> Path:
    Path(path).write_text("".join(f"{line}\n" for line in lines))
    return Path(path)


def starts(call: Call, *arguments: object) -> dict[str, int]:
    records = call("replay", STREET, "--json", *arguments).json
    labels = [record["label"] for record in records if record["type"] == "start"]
    return {label: labels.count(label) for label in labels}


def test_at_the_present_threshold_it_counts_what_the_replay_raises(call: Call, scores: Path) -> None:
    raised = starts(call)
    assert raised
    classes = call("tune", scores, "--json").json_document["classes"]
    present = {label: card["enter"] for label, card in _present(call).items()}
    for label, enter in present.items():
        (point,) = [point for point in classes[label]["curve"] if point["enter"] == enter]
        assert point["alarms"] == raised.get(label, 0)


def test_what_it_prints_is_config_and_keeps_a_replay_to_the_target(call: Call, scores: Path) -> None:
    result = call("tune", scores, "--alarms-per-hour", 90)
    chosen = yaml.safe_load(result.out)["events"]["classes"]
    assert load_config(_written("tuned.yaml", result.out)).settings.events.classes.keys() == chosen.keys()
    after = starts(call, "--config", "tuned.yaml")
    hours = 44 / 3600
    assert all(after.get(label, 0) / hours <= 90 for label in chosen)
    assert "cannot show 90 alarms an hour" not in call("tune", scores, "--alarms-per-hour", 999).err
    assert "cannot show 90 alarms an hour" in result.err


def test_npz_and_csv_give_the_same(call: Call, scores: Path) -> None:
    call("replay", STREET, "--scores", "street.npz")
    assert call("tune", scores).out == call("tune", "street.npz").out


def test_labelled_sounds_are_heard_by_the_thresholds_it_chooses(call: Call, scores: Path) -> None:
    labels = track("labels.tsv", "2.0\t11.0\tsiren", "\\\t200.0\t900.0", "13.5\t15.5\tcar_horn")
    result = call("tune", scores, "--events", labels, "--label", "siren", "--json")
    (siren,) = result.json_document["classes"].values()
    (point,) = [p for p in siren["curve"] if p["enter"] == siren["chosen"]["enter"]]
    assert (point["heard"], point["sounds"], point["alarms"]) == (1, 1, 0)
    assert "2 labelled sounds" in result.err


def test_a_class_that_no_threshold_quietens_stands_in_a_comment(call: Call, scores: Path) -> None:
    header, *rows = [line.split(",") for line in scores.read_text().splitlines()]
    certain = header.index("siren")
    for row in rows[8:16]:
        row[certain] = "1.0"
    scores.write_text("".join(",".join(row) + "\n" for row in (header, *rows)))
    out = call("tune", scores, "--alarms-per-hour", 0, "--label", "siren").out
    assert "# siren: no threshold meets the target" in out
    assert yaml.safe_load(out) is None


def test_a_folder_holds_a_track_for_each_recording_and_one_without_holds_nothing(call: Call) -> None:
    for name in ("one.wav", "two.wav"):
        Path(name).write_bytes(STREET.read_bytes())
    call("replay", "one.wav", "two.wav", "--scores", "both.csv")
    Path("tracks").mkdir()
    track("tracks/one.txt", "2.0\t11.0\tsiren")
    result = call("tune", "both.csv", "--events", "tracks", "--label", "siren", "--json")
    (siren,) = result.json_document["classes"].values()
    low = next(point for point in siren["curve"] if point["enter"] == 0.6)
    assert (low["heard"], low["sounds"], low["alarms"]) == (1, 1, 1)
    assert "1 recording without a track: assumed to hold none of the sounds" in result.err


def test_the_picture_is_svg_with_a_panel_a_class(call: Call, scores: Path) -> None:
    call("tune", scores, "--plot", "curves.svg", "--events", track("l.tsv", "2\t11\tsiren"))
    root = ElementTree.parse("curves.svg").getroot()
    groups = [element for element in root if element.tag.endswith("}g")]
    assert len(groups) == len(_present(call))
    assert any(mark.get("class") == "chosen" for group in groups for mark in group)


BAD_TRACKS = {
    "2.0 11.0 siren": "labels.tsv:1: not a label; write start TAB end TAB label",
    "2.0\t11.0\tsirene": "labels.tsv:1: 'sirene' is not a class that makes events; did you mean siren?",
    "11.0\t2.0\tsiren": "labels.tsv:1: 11 to 2 s is not an interval",
    "1\tinf\tsiren": "labels.tsv:1: 1 to inf s is not an interval",
    "60\t61\tsiren": "labels.tsv:1: begins at 60 s",
}


@pytest.mark.parametrize("line", BAD_TRACKS)
def test_a_bad_label_is_named_by_line(call: Call, scores: Path, line: str) -> None:
    refused(call("tune", scores, "--events", track("labels.tsv", line)), BAD_TRACKS[line])


def _cut(text: str) -> str:
    return text[: text.rindex(",")]


def _columns(text: str) -> str:
    return "\n".join(line.rsplit(",", 1)[0] for line in text.splitlines())


def _first_level(text: str, level: str) -> str:
    header, first, rest = text.split("\n", 2)
    cells = first.split(",")
    cells[2] = level
    return "\n".join((header, ",".join(cells), rest))


BAD_SCORES = {
    "empty": (lambda text: "", "not a score file"),
    "header alone": (lambda text: text.splitlines()[0], "holds no scores"),
    "another model's": (lambda text: text.replace("siren", "Siren", 1), "has 'Siren', the model in use"),
    "cut short": (_cut, "not a row of scores (it is cut short)"),
    "a label less": (_columns, "has 10 labels in another order or number"),
    "no number": (lambda text: _first_level(text, "quiet"), "bad.csv:2: not a row of scores"),
    "not finite": (lambda text: _first_level(text, "nan"), "values that are not finite"),
    "out of range": (lambda text: text.replace(",0.1", ",7.1", 1), "scores must lie in 0…1"),
    "twice": (lambda text: text + "".join(text.splitlines(True)[1:]), "is the recording in it twice?"),
}  # fmt: skip


@pytest.mark.parametrize("kind", BAD_SCORES)
def test_a_bad_score_file_is_refused_in_one_line(call: Call, scores: Path, kind: str) -> None:
    change, message = BAD_SCORES[kind]
    Path("bad.csv").write_text(change(scores.read_text()))
    refused(call("tune", "bad.csv"), message)


@pytest.mark.parametrize("content", [b"", b"PK\3\4 nothing", b"\x93NUMPY"], ids=["empty", "zip", "npy"])
def test_a_damaged_npz_is_refused_in_one_line(call: Call, content: bytes) -> None:
    Path("bad.npz").write_bytes(content)
    refused(call("tune", "bad.npz"), "bad.npz: not a score file of replay --scores")


def test_an_npz_of_other_arrays_or_shapes_is_refused_in_one_line(call: Call, scores: Path) -> None:
    np.savez("other.npz", values=np.zeros(3))
    refused(call("tune", "other.npz"), "other.npz: not a score file of replay --scores")
    labels = scores.read_text().splitlines()[0].split(",")[3:]
    arrays = {"time_s": [1.0], "level_dbfs": [-3.0, 0.0], "scores": np.zeros((1, 11)), "labels": labels}
    with np.load(_archive("odd.npz", {"file": np.array(["a.wav"]), **arrays})):
        refused(call("tune", "odd.npz"), "its arrays differ in length")


def test_paths_and_options_that_do_not_fit_are_refused_in_one_line(call: Call, scores: Path) -> None:
    refused(call("tune", "scores.json"), "the name of a score file ends in .csv or .npz")
    refused(call("tune", "absent.csv"), "absent.csv: cannot read the scores")
    refused(call("tune", scores, "--events", "absent.tsv"), "cannot read the labels")
    refused(call("tune", scores, "--plot", "p.png"), "the picture is an SVG")
    refused(call("tune", scores, "--plot", "no/p.svg"), "cannot write")
    refused(call("tune", scores, "--label", "sirene"), "--label sirene: not a class that makes events")
    refused(call("tune", scores, scores, "--events", track("l.tsv", "1\t2\tsiren")), "give a folder")
    Path("tracks").mkdir()
    refused(call("tune", scores, "--events", "tracks"), "contains no label track")
    track("tracks/avenue.tsv", "1\t2\tsiren")
    refused(call("tune", scores, "--events", "tracks"), "no recording in the scores named avenue")


def refused(result: object, message: str) -> None:
    assert result.code == 2
    (complaint,) = result.complaints
    assert message in complaint
    assert result.out == ""


def _written(name: str, text: str) -> Path:
    Path(name).write_text(text)
    return Path(name)


def _archive(name: str, arrays: dict[str, object]) -> str:
    """What ``numpy.savez`` writes, which cannot name an array ``file``."""
    import zipfile

    with zipfile.ZipFile(name, "w") as archive:
        for key, value in arrays.items():
            with archive.open(f"{key}.npy", "w") as stream:
                np.lib.format.write_array(stream, np.asarray(value))
    return name


def _present(call: Call) -> dict[str, dict[str, float]]:
    """The settings of the shipped model's classes in its default profile."""
    (card,) = [call("model", "show", "--json").json_document]
    return {label: of["profiles"]["quiet"] for label, of in card["classes"].items()}
