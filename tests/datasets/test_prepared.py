import errno
import os
import shutil
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from itertools import chain
from multiprocessing import get_context
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from nestbench.datasets.prepared import Prepared, describe, reopen
from nestbench.datasets.preparing import prepare
from nestbench.datasets.readers.folder import Folder
from nestbench.datasets.splits import split_cases
from nestbench.datasets.twins import Twins
from nestbench.errors import RequestError, RunError
from nestbench.study.data import DatasetSpec


def spec(path: Path | str, **options: object) -> DatasetSpec:
    return DatasetSpec.model_validate({"name": "folder", "path": str(path), "size": 16, **options})


def content_in_another_process(own: Path, cache: Path) -> str:
    return prepare(spec(own), Path(), cache).content


def folders(cache: Path) -> list[Path]:
    return [path for path in cache.iterdir() if path.is_dir()]


def same(a: Prepared, b: Prepared) -> bool:
    every = range(len(a.cases))
    return a.content == b.content and all(
        (a.image(i) == b.image(i)).all() and (a.mask(i) == b.mask(i)).all() for i in every
    )


def images(prepared: Prepared) -> np.ndarray:
    return np.stack([prepared.image(i) for i in range(len(prepared.cases))])


@pytest.fixture
def cache(tmp_path: Path) -> Path:
    return tmp_path / "cache"


@pytest.fixture
def sealed(monkeypatch: pytest.MonkeyPatch):
    """Make any further reading of a case an error."""

    def seal() -> None:
        monkeypatch.setattr(Folder, "read", lambda *_: pytest.fail("a case was read"))

    return seal


def test_every_case_is_there_at_the_study_s_size(own: Path, cache: Path):
    made = prepare(spec(own, subject="(p[0-9])"), Path(), cache)
    assert images(made).shape == (6, 1, 16, 16, 1)
    assert made.spaces == ((1, 16, 16),) * 6
    assert made.instances(0) is None
    assert [case.subject for case in made.cases] == ["p0", "p0", "p1", "p1", "p2", "p2"]
    assert set(np.unique(made.mask(3))) == {0, 1}


def test_instances_are_kept_where_there_are_any(bowl: Path, cache: Path):
    made = prepare(DatasetSpec(name="nuclei", size=16), bowl, cache)
    instances = made.instances(2)
    assert instances is not None
    assert ((instances > 0) == (made.mask(2) > 0)).all()
    assert set(np.unique(instances)) == {0, 1, 2}


def test_arrays_are_mapped_and_cannot_be_written(own: Path, cache: Path):
    made = prepare(spec(own), Path(), cache)
    assert isinstance(made.image(1), np.memmap)
    with pytest.raises(ValueError, match="read-only"):
        made.image(1)[0] = 0


def test_a_second_time_gives_the_same_and_reads_nothing(own: Path, cache: Path, sealed):
    first = prepare(spec(own), Path(), cache)
    sealed()
    second = prepare(spec(own), Path(), cache)
    assert same(first, second)
    assert (first.key, first.cases, first.classes, first.about) == (
        second.key,
        second.cases,
        second.classes,
        second.about,
    )


def test_what_does_not_decide_the_arrays_prepares_nothing_again(own: Path, cache: Path, sealed):
    prepare(spec(own), Path(), cache)
    sealed()
    prepare(spec(own, label="mine", split=(0.4, 0.3, 0.3), samples=3), Path(), cache)


@pytest.mark.parametrize("change", [{"size": 32}, {"classes": {"background": 255, "cell": 0}}])
def test_another_size_or_option_is_prepared_beside(own: Path, cache: Path, change: dict[str, object]):
    first = prepare(spec(own), Path(), cache)
    second = prepare(spec(own, **change), Path(), cache)
    assert first.content != second.content
    assert len(folders(cache)) == 2


@pytest.fixture
def deep(tmp_path: Path, save) -> Path:
    """A folder of three images of 16 bits, 0 to 65,280, with their masks."""
    ramp = np.arange(256, dtype=np.uint16).reshape(16, 16) * 256
    for name in ("a.png", "b.png", "c.png"):
        save(tmp_path / "deep" / "images" / name, ramp)
        save(tmp_path / "deep" / "masks" / name, np.where(ramp > 30_000, 255, 0).astype(np.uint8))
    return tmp_path / "deep"


def test_pictures_of_16_bits_are_seen_in_the_window_of_the_study(deep: Path, cache: Path):
    made = prepare(spec(deep, window=(0, 25_500)), Path(), cache)
    expected = np.rint(np.minimum(np.arange(256) * 256 / 100, 255))
    assert (made.image(0).ravel() == expected).all()


@pytest.mark.parametrize("ends", [(0, 100), (10, 90), (25, 50)])
def test_pictures_of_16_bits_are_seen_between_the_percentiles_of_the_study(deep: Path, cache: Path, ends):
    pixels = prepare(spec(deep, percentiles=ends), Path(), cache).image(0).ravel()
    low, high = (255 * end / 100 for end in ends)
    assert (pixels == np.rint(np.clip((np.arange(256) - low) / (high - low), 0, 1) * 255)).all()


def test_prepared_data_are_reopened_by_their_folder_alone(own: Path, cache: Path):
    made = prepare(spec(own), Path(), cache)
    again = reopen(made.folder)
    assert same(made, again)
    assert (made.key, made.folder, made.cases) == (again.key, again.folder, again.cases)


def test_data_that_are_gone_are_not_reopened(cache: Path):
    with pytest.raises(RequestError, match=r"prepared data in '.*cache/gone' are gone or damaged"):
        reopen(cache / "gone")


def test_a_data_set_without_cases_is_refused(own: Path, cache: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(Folder, "cases", lambda _: ())
    with pytest.raises(RequestError, match="data set 'folder' has no cases"):
        prepare(spec(own), Path(), cache)


def test_a_changed_source_is_prepared_again(own: Path, cache: Path, save):
    before = prepare(spec(own), Path(), cache)
    save(own / "images" / "p0_0.png", np.zeros((20, 24), np.uint8))
    after = prepare(spec(own), Path(), cache)
    assert before.content != after.content
    assert not after.image(0).any()


def test_content_is_the_same_wherever_the_files_lie(own: Path, cache: Path):
    copy = shutil.copytree(own, own.parent / "copy", copy_function=shutil.copyfile)
    for number, path in enumerate(sorted(copy.rglob("*.png"))):
        os.utime(path, (number, number))
    here, there = prepare(spec(own), Path(), cache), prepare(spec(copy), Path(), cache)
    assert here.key != there.key
    assert here.content == there.content


@pytest.mark.parametrize("damage", ["cut", "scribble", "lose", "index"])
def test_a_damaged_folder_is_built_again(own: Path, cache: Path, damage: str):
    first = prepare(spec(own), Path(), cache)
    expected = images(first)
    (folder,) = folders(cache)
    stored = folder / ("index.json" if damage == "index" else "images.bin")
    whole = stored.read_bytes()
    if damage == "lose":
        stored.unlink()
    elif damage == "scribble":
        stored.write_bytes(whole[:-1] + bytes([whole[-1] ^ 1]))
    else:
        stored.write_bytes(whole[: len(whole) // 2])
    second = prepare(spec(own), Path(), cache)
    assert (images(second) == expected).all()


def test_an_interrupted_preparation_leaves_nothing(own: Path, cache: Path):
    def interrupt(done: int, _: int) -> None:
        if done == 3:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        prepare(spec(own), Path(), cache, interrupt)
    assert not folders(cache)


def test_what_a_killed_process_left_is_not_taken_for_whole(own: Path, cache: Path):
    whole = prepare(spec(own), Path(), cache)
    expected = images(whole)
    (folder,) = folders(cache)
    (folder / "index.json").unlink()
    folder.rename(folder.with_name(f".{folder.name}.building"))
    assert (images(prepare(spec(own), Path(), cache)) == expected).all()
    assert folders(cache) == [folder]


def test_of_two_processes_at_once_both_are_served(own: Path, cache: Path):
    with ProcessPoolExecutor(2, mp_context=get_context("forkserver")) as pool:
        contents = list(pool.map(content_in_another_process, [own] * 2, [cache] * 2))
    assert contents == [prepare(spec(own), Path(), cache).content] * 2


def test_who_asks_while_another_works_waits_for_it(own: Path, cache: Path):
    told, others = [], []

    def ask_meanwhile(done: int, _: int) -> None:
        told.append(done)
        if done == 1:
            others.append(pool.submit(prepare, spec(own), Path(), cache, lambda done, _: told.append(done)))

    with ThreadPoolExecutor(1) as pool:
        first = prepare(spec(own), Path(), cache, ask_meanwhile)
        assert same(first, others[0].result())
    assert told == [1, 2, 3, 4, 5, 6]


def test_all_problems_are_named_in_one_sentence(own: Path, cache: Path, save):
    (own / "masks" / "p0_0.png").unlink()
    save(own / "masks" / "p0_1.png", np.zeros((4, 4), np.uint8))
    (own / "images" / "p1_2.png").write_bytes(b"nothing")
    save(own / "masks" / "p1_3.png", np.full((20, 24), 7, np.uint8))
    with pytest.raises(RequestError) as caught:
        prepare(spec(own), Path(), cache)
    sentence = str(caught.value)
    assert sentence.startswith("4 of the 6 cases of 'own' cannot be used: ")
    assert all(name in sentence for name in ("images/p0_0.png", "masks/p0_1.png", "images/p1_2.png", "and 1 more"))
    assert not folders(cache)


def test_a_cache_that_cannot_be_written_is_named(own: Path, tmp_path: Path):
    (tmp_path / "file").write_text("no folder")
    with pytest.raises(RequestError, match=r"cannot write to the folder '.*file/cache'"):
        prepare(spec(own), Path(), tmp_path / "file" / "cache")


@pytest.mark.parametrize("fitting", [0, 3, 5])
def test_a_full_disk_is_told_in_bytes_and_leaves_nothing(own: Path, cache: Path, monkeypatch, fitting: int):
    room = iter([SimpleNamespace(free=512)] * fitting + [SimpleNamespace(free=511)] * 2)
    with monkeypatch.context() as patch:
        patch.setattr("nestbench.datasets.arrays.shutil.disk_usage", lambda _: next(room))
        with pytest.raises(RunError) as caught:
            prepare(spec(own), Path(), cache)
    assert str(caught.value) == (
        f"cannot prepare data set 'folder' in the folder '{cache}': case {fitting + 1} of 6 takes 512 bytes, all of "
        "them about 3,072; 511 bytes are free there, and $NESTBENCH_CACHE names another folder"
    )
    assert not folders(cache)
    assert len(prepare(spec(own), Path(), cache).cases) == 6


def test_a_disk_that_is_full_at_the_last_file_is_told_of_too(own: Path, cache: Path, monkeypatch):
    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr("nestbench.datasets.preparing.write_json", full)
        with pytest.raises(RunError, match=r"'.*cache': No space left on device; [0-9,]+ bytes are free"):
            prepare(spec(own), Path(), cache)
    assert not folders(cache)


def test_what_tells_the_files_of_channels_is_kept(own: Path, cache: Path, monkeypatch):
    assert prepare(spec(own), Path(), cache).marks == ()
    monkeypatch.setattr(Folder, "marks", ("_0000.",), raising=False)
    assert prepare(spec(own, size=17), Path(), cache).marks == ("_0000.",)


def test_a_description_says_what_the_results_need(own: Path, cache: Path):
    study = spec(own, label="mine", subject="(p[0-9])", split=(0.4, 0.3, 0.3))
    made = prepare(study, Path(), cache)
    description = describe(made, study, split_cases(made.cases, (0.4, 0.3, 0.3)), Twins((), 2))
    split = description.pop("split")
    assert sorted(chain(*split.values())) == [case.id for case in made.cases]
    assert description == {
        "name": "mine",
        "title": "own",
        "licence": "not stated",
        "citation": "",
        "url": "",
        "classes": ["background", "foreground"],
        "channels": 1,
        "dims": 2,
        "volumes": False,
        "size": 16,
        "patch": None,
        "spacing": None,
        "window": None,
        "twins": [],
        "not_compared": 2,
        "subjects": 3,
        "counts": {"train": 2, "validation": 2, "test": 2},
        "content": made.content,
    }
