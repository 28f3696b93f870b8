from pathlib import Path

import pytest
from huggingface_hub import constants, hf_hub_download
from huggingface_hub.errors import LocalEntryNotFoundError

from nestbench.errors import RequestError
from nestbench.hub import fetching

OTHERWISE = "do without"


@pytest.mark.parametrize(
    ("answer", "words"),
    [(OSError("no route\nto host"), "no route"), (TimeoutError(), "TimeoutError"), (503, "it answers 503")],
)
def test_a_hub_that_is_away_is_one_sentence_and_is_not_asked_again(answer, words, hub, tmp_path, caplog):
    hub(answer)
    with pytest.raises(RequestError) as raised, fetching("timm:net", OTHERWISE):
        hf_hub_download("nobody/net", "model.safetensors", cache_dir=tmp_path)
    assert str(raised.value) == (
        f"pretrained weights of encoder 'timm:net' cannot be fetched (the hub cannot be reached: {words}); do without"
    )
    assert not caplog.records


def test_a_copy_that_was_fetched_before_serves_while_the_hub_is_away(hub, tmp_path):
    kept = tmp_path / "models--nobody--net"
    (kept / "refs").mkdir(parents=True)
    (kept / "refs" / "main").write_text("0" * 40)
    (kept / "snapshots" / ("0" * 40)).mkdir(parents=True)
    (kept / "snapshots" / ("0" * 40) / "model.safetensors").write_text("weights")
    hub(OSError("no route to host"))
    with fetching("timm:net", OTHERWISE):
        path = hf_hub_download("nobody/net", "model.safetensors", cache_dir=tmp_path)
    assert Path(path).read_text() == "weights"


@pytest.mark.parametrize(
    ("error", "words"), [(ValueError("no\nsuch tensor"), "(no)"), (LocalEntryNotFoundError("not here"), "(not here)")]
)
def test_whatever_else_goes_wrong_is_told_in_its_own_words(error, words, hub):
    hub(404)
    with pytest.raises(RequestError) as raised, fetching("timm:net", OTHERWISE):
        raise error
    assert words in str(raised.value)
    assert "reached" not in str(raised.value)


@pytest.mark.parametrize("answer", [200, OSError("no route to host")])
def test_a_sentence_of_ours_stays_as_it_is(answer, hub):
    hub(answer)
    with pytest.raises(RequestError, match=r"^ours$"), fetching("timm:net", OTHERWISE):
        raise RequestError("ours")


@pytest.mark.parametrize("before", [False, True])
@pytest.mark.parametrize("answer", [200, OSError("no route to host")])
def test_the_client_is_left_as_it_was(answer, before, hub, monkeypatch):
    hub(answer)
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", before)
    with fetching("timm:net", OTHERWISE):
        assert constants.HF_HUB_OFFLINE is (before or answer != 200)
    assert constants.HF_HUB_OFFLINE is before
    with pytest.raises(RequestError), fetching("timm:net", OTHERWISE):
        raise ValueError
    assert constants.HF_HUB_OFFLINE is before
