import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nestbench.machine.calibrate import GAIN, calibrate, compare, fastest
from nestbench.machine.measure import EAGER, PLAIN, WAYS, Way

TIMES = st.floats(1e-6, 1e6)
MEDIANS = st.sampled_from(list(WAYS.values())).flatmap(
    lambda ways: st.tuples(*[TIMES] * len(ways)).map(lambda seconds: dict(zip(ways, seconds, strict=True)))
)


@given(MEDIANS)
def test_nothing_of_the_chosen_precision_is_faster(times):
    chosen = fastest(compare(times))
    assert chosen.seconds == min(seconds for way, seconds in times.items() if way.precision == chosen.precision)


@given(MEDIANS)
def test_bfloat16_is_chosen_only_and_always_where_it_gains_enough(times):
    float32, bfloat16 = (min(times[way] for way in times if way.precision == name) for name in ("float32", "bfloat16"))
    assert (fastest(compare(times)).precision == "bfloat16") == (float32 >= GAIN * bfloat16)


@given(MEDIANS, st.sampled_from(["float32", "bfloat16"]))
def test_a_precision_that_is_asked_for_is_kept(times, precision):
    assert fastest(compare(times), precision).precision == precision


@given(MEDIANS)
def test_ratios_are_to_plain_float32(times):
    measured = compare(times)
    assert Way(measured[0].precision, measured[0].memory_format, measured[0].replay) == PLAIN
    assert measured[0].ratio == 1
    assert [one.ratio * one.seconds for one in measured] == pytest.approx([times[PLAIN]] * len(times))


def test_of_equally_fast_ways_the_plainest_is_chosen():
    chosen = fastest(compare(dict.fromkeys(WAYS["cuda"], 1.0)))
    assert Way(chosen.precision, chosen.memory_format, chosen.replay) == PLAIN


@pytest.fixture
def asked(monkeypatch):
    """Each measurement that is made: device and threads. The n-th takes n seconds in every way."""
    made = []

    def time_ways(device, threads):
        made.append((device, threads))
        return {way: [float(len(made))] for way in WAYS[device]}

    monkeypatch.setattr("nestbench.machine.calibrate.time_ways", time_ways)
    return made


def record(folder) -> Path:
    (path,) = folder.glob("*.json")
    return path


def test_what_was_measured_is_kept_with_its_ratios(asked, tmp_path):
    first = calibrate("cpu", 2, tmp_path / "cache")
    assert calibrate("cpu", 2, tmp_path / "cache") == first
    assert asked == [("cpu", 2)]
    rows = json.loads(record(tmp_path / "cache").read_text())["measured"]
    columns = ("precision", "memory_format", "replay", "ratio")
    assert [tuple(row[column] for column in columns) for row in rows] == [(*way, 1.0) for way in EAGER]


def test_other_threads_devices_and_versions_are_measured_for_themselves(asked, tmp_path, monkeypatch):
    calibrate("cpu", 2, tmp_path)
    calibrate("cpu", 1, tmp_path)
    for what, other in {"torch.__version__": "9.9", "_PROCEDURE": -1, "device_name": lambda device: "other"}.items():
        monkeypatch.setattr(f"nestbench.machine.calibrate.{what}", other)
        calibrate("cpu", 2, tmp_path)
    assert len(asked) == len(list(tmp_path.glob("*.json"))) == 5


def broken(change):
    def damage(path):
        content = json.loads(path.read_text())
        change(content)
        path.write_text(json.dumps(content))

    return damage


DAMAGE = {
    "not JSON": lambda path: path.write_text("{"),
    "not text": lambda path: path.write_bytes(b"\xff\x00"),
    "not an object": lambda path: path.write_text("[]"),
    "nothing measured": broken(lambda content: content.pop("measured")),
    "a way is missing": broken(lambda content: content["measured"].pop()),
    "no time": broken(lambda content: content["measured"][0].update(seconds=None)),
    "time is not above 0": broken(lambda content: content["measured"][0].update(seconds=0)),
    "time is no number": broken(lambda content: content["measured"][2].update(seconds=float("nan"))),
    "rows are no rows": broken(lambda content: content.update(measured=[1, 2])),
    "of another machine": broken(lambda content: content.update(device="other")),
}


@pytest.mark.parametrize("damage", DAMAGE.values(), ids=DAMAGE.keys())
def test_a_damaged_record_is_measured_again(asked, tmp_path, damage):
    calibrate("cpu", 2, tmp_path)
    damage(record(tmp_path))
    again = calibrate("cpu", 2, tmp_path)
    assert len(asked) == again[0].seconds == 2
    assert calibrate("cpu", 2, tmp_path) == again
    assert len(asked) == 2


def test_where_no_record_can_be_kept_it_is_measured_each_time(asked, tmp_path):
    (tmp_path / "cache").write_text("a file")
    assert len(calibrate("cpu", 2, tmp_path / "cache")) == len(EAGER)
    calibrate("cpu", 2, tmp_path / "cache")
    assert len(asked) == 2
