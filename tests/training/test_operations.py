"""What a step and an evaluation ask of a GPU stays as few operations as the table says."""

import operations
import pytest
import torch
from support.variants import VARIANTS

COUNTS = ("operations", "kernels", "synchronisations", "host_copies", "host_generators")
VARIANTS_COUNTED = operations.counted_variants()
TABLE = operations.read_rows()


of_this_torch = pytest.mark.skipif(
    not torch.__version__.startswith(f"{operations.TORCH}."),
    reason=f"the table was counted with torch {operations.TORCH}",
)


@pytest.mark.pretended
@of_this_torch
@pytest.mark.parametrize("name", VARIANTS_COUNTED)
def test_no_count_has_changed(name):
    recorded = [row for row in TABLE if row["variant"] == name]
    counted = list(operations.count_variant(name, VARIANTS_COUNTED[name]))
    assert [(row["length"], row["stage"]) for row in recorded] == [
        (str(row.length), row.stage) for row in counted
    ]
    for before, now in zip(recorded, counted, strict=True):
        for count in COUNTS:
            change = f"{name}, length {now.length}, {now.stage}: {before[count]} {count} became"
            found = getattr(now, count)
            assert found <= int(before[count]), f"{change} {found}; make them as few as before"
            assert found == int(before[count]), (
                f"{change} {found}; run benchmarks/operations.py --write, so that it stays so"
            )


def test_the_table_has_every_variant_and_stage():
    expected = {
        (name, str(length), stage)
        for name in VARIANTS_COUNTED
        for length in operations.LENGTHS
        for stage in ("step", "evaluation")
    }
    assert {(row["variant"], row["length"], row["stage"]) for row in TABLE} == expected
    assert len(TABLE) == len(expected)


def test_the_host_is_asked_for_nothing():
    """Those that do wait or copy are known; the list gets shorter, and no longer."""
    asking = {
        (row["kind"], name)
        for row in TABLE
        for name in COUNTS[2:]
        if int(row[name]) and "dropout" not in row["variant"]
    }
    assert asking == {("encoder_decoder", "synchronisations")}  # it looks for the separator
    (dropout,) = {
        row["host_generators"]
        for row in TABLE
        if row["variant"] == "transformer_dropout" and row["stage"] == "step"
    }
    assert int(dropout) == operations.N_REPLICATES


def test_kernels_are_estimated_for_operations_that_are_there():
    costs = operations.kernel_costs()
    assert all(cost != 1 and cost >= 0 for cost in costs.values())
    assert set(VARIANTS) < set(VARIANTS_COUNTED)
