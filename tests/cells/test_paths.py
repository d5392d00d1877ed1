"""Coordinates and paths are each other's inverse, and bad ones are refused."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nstar.cells.paths import (
    COORDINATES,
    STAGES,
    checkpoint_path,
    coordinates_of,
    decode,
    encode,
    parse_store_path,
    segment,
    store_path,
)
from nstar.errors import PathError
from nstar.seeds import AnySeed, Seed, seed_of

NAMES = st.from_regex(r"[a-z][a-z0-9_]{0,20}", fullmatch=True)
NUMBERS = st.integers(0, 10**12)
SEEDS = st.one_of(NUMBERS, st.builds(seed_of, *[st.integers(0, 2)] * 3))
RATES = st.floats(1e-12, 1e12, allow_nan=False)
VALUES = {
    str: NAMES,
    int: NUMBERS,
    tuple[AnySeed, ...]: st.lists(SEEDS, min_size=1, max_size=5).map(tuple),
    tuple[float, ...]: st.lists(RATES, min_size=1, max_size=5).map(tuple),
}
ANY_COORDINATES = st.fixed_dictionaries(
    {}, optional={key: VALUES[kind] for key, kind in COORDINATES.items()}
)

BLOCK = (
    "cells/model~lstm-0a/task~parity-0b/supervision~aligned/length_distribution~fixed/length~8/"
    "budget~2/seeds~0/learning_rates~0.1"
)
PLACE = "data/task~parity/length_distribution~fixed"


@given(ANY_COORDINATES)
def test_decoding_undoes_encoding(coordinates):
    assert decode(encode(coordinates)) == coordinates


@given(ANY_COORDINATES, ANY_COORDINATES)
def test_different_coordinates_have_different_paths(first, second):
    assert (encode(first) == encode(second)) == (list(first.items()) == list(second.items()))


def test_a_seed_is_written_as_its_streams_where_these_differ():
    path = encode({"seeds": (0, Seed(0, 0, 1), Seed(1, 0, 2), 3)})
    assert str(path) == "seeds~0+0.0.1+1.0.2+3"
    assert decode(path) == {"seeds": (0, Seed(0, 0, 1), Seed(1, 0, 2), 3)}


def test_path_of_a_store():
    path = store_path("results", "cells", {"model": "lstm", "seeds": (0, 1)}, "0123456789ab")
    assert str(path) == "results/cells/model~lstm/seeds~0+1/0123456789ab.zarr.zip"


@pytest.mark.parametrize("stage", STAGES)
@given(data=st.data())
def test_parsing_undoes_the_path_of_a_store(stage, data):
    coordinates = {key: data.draw(VALUES[COORDINATES[key]]) for key in STAGES[stage]}
    part = 0 if stage == "data" else data.draw(st.integers(0, 999))
    path = store_path("", stage, coordinates, "0123456789ab", part)
    assert parse_store_path(path) == (stage, coordinates, "0123456789ab", part)


TRAINED = {
    "stage": "training",
    "model": {"kind": "lstm", "width": 8},
    "task": {"kind": "modular_addition", "modulus": 2},
    "supervision": "aligned",
    "length_distribution": "fixed",
    "length": 8,
    "budget": 64,
}


def test_coordinates_follow_from_the_specification_of_a_cell():
    found = coordinates_of(TRAINED, (0, 1), (0.1,))
    assert tuple(found) == STAGES["cells"]
    assert found["model"] == segment(TRAINED["model"]) and found["model"].startswith("lstm-")
    assert found["task"].startswith("modular_addition-")
    assert (found["length"], found["budget"], found["seeds"]) == (8, 64, (0, 1))
    assert tuple(coordinates_of(TRAINED)) == STAGES["cells"][:-2]
    wider = coordinates_of({**TRAINED, "model": {"kind": "lstm", "width": 9}})
    assert wider["model"] != found["model"] and wider["task"] == found["task"]


@pytest.mark.parametrize(("start", "shard"), [(0, 0), (1024, 1), (2048, 2), (4096, 3)])
def test_coordinates_follow_from_the_specification_of_data(start, shard):
    names = ("task", "length_distribution", "length")
    fields = {name: TRAINED[name] for name in names}
    found = coordinates_of(
        {"stage": "data", **fields, "seed": 3, "split": "train", "start": start, "stop": 9000}
    )
    assert tuple(found) == STAGES["data"]
    assert (found["seed"], found["split"], found["shard"]) == (3, "train", shard)


@pytest.mark.parametrize(
    "path",
    [
        "tables/cells.csv",
        "data/notes.txt",
        f"{PLACE}/length~8/seed~0/split~train/shard~0",
        f"{PLACE}/length~8/seed~0/split~train/0123456789ab.zarr.zip",
        "data/length_distribution~fixed/task~parity/length~8/seed~0/split~train/shard~0/0123456789ab.zarr.zip",
        f"{PLACE}/length~08/seed~0/split~train/shard~0/0123456789ab.zarr.zip",
        f"{PLACE}/length~8/seed~0/split~train/shard~0/old/0123456789ab.zarr.zip",
        f"{PLACE}/length~8/seed~0/split~train/shard~0/copy.zarr.zip",
        f"{PLACE}/length~8/seed~0/split~train/shard~0/0123456789ab.zarr.zip.bak",
        f"{PLACE}/length~8/seed~0/split~train/shard~0/0123456789ab-1.zarr.zip",
        f"{BLOCK}/0123456789ab-0.zarr.zip",
        f"{BLOCK}/0123456789ab-01.zarr.zip",
        f"{BLOCK}/0123456789ab-1-2.zarr.zip",
        f"{BLOCK}/0123456789ab-.zarr.zip",
        f"{BLOCK}/0123456789ab.zarr.zip".replace("seeds~0", "seeds~3.3.3"),
    ],
)
def test_a_path_where_no_store_lies_is_refused(path):
    with pytest.raises(PathError, match="no store lies"):
        parse_store_path(path)


def test_a_checkpoint_is_of_one_store_and_one_device_wherever_the_results_lie():
    curve = "model~lstm/task~parity/supervision~aligned/length_distribution~fixed/length~8"
    store = f"cells/{curve}/budget~2/seeds~0/learning_rates~0.1/0a.zarr.zip"
    path = checkpoint_path("a/results", f"a/results/{store}", "NVIDIA H100 80GB/HBM3")
    name, _, device = path.name.partition("-")
    assert path.parent.as_posix() == "a/results/checkpoints"
    assert device == "NVIDIA-H100-80GB-HBM3.pt"
    assert checkpoint_path("", store, "cpu").name == f"{name}-cpu.pt"
    assert checkpoint_path("", store.replace("seeds~0", "seeds~1"), "cpu").name != f"{name}-cpu.pt"


@pytest.mark.parametrize(
    ("coordinates", "words"),
    [
        ({"modell": "lstm"}, "unknown coordinate 'modell'"),
        ({"length": "8"}, "length: '8' is not of type int"),
        ({"length": True}, "length: True is not of type int"),
        ({"seeds": (0.5,)}, r"seeds: \(0.5,\) is not a sequence of int"),
        ({"model": "a/b"}, "cannot be part of a path"),
        ({"model": ""}, "cannot be part of a path"),
    ],
)
def test_bad_coordinates_are_refused_by_name(coordinates, words):
    with pytest.raises(PathError, match=words):
        encode(coordinates)


@pytest.mark.parametrize("path", ["modell~lstm", "length~eight", "seeds~0+x", "seeds~0.1"])
def test_bad_paths_are_refused(path):
    with pytest.raises(PathError):
        decode(path)
