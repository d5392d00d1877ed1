"""Generated documentation is fresh, and documents everything."""

from pathlib import Path

import pytest

from nstar.reference.pages import _option_classes, pages
from nstar.study import Study
from nstar.tables import TABLES

ROOT = Path(__file__).parents[2]


PAGES = pages(ROOT)


@pytest.mark.parametrize("name", sorted(PAGES))
def test_generated_file_is_fresh(name):
    assert (ROOT / name).read_text() == PAGES[name], "run: make reference"


def option_classes(cls):
    yield cls
    for field in cls.model_fields.values():
        for inner in _option_classes(field.annotation):
            yield from option_classes(inner)


def test_every_option_has_a_description_with_a_unit():
    for cls in set(option_classes(Study)):
        for name, field in cls.model_fields.items():
            assert field.description, f"{cls.__name__}.{name}"
            is_block = any(_option_classes(field.annotation)) and name != "budgets"
            has_unit = ";" in field.description or "(" in field.description
            assert is_block or has_unit, f"{cls.__name__}.{name} has no unit"


def test_every_column_has_a_unit_and_a_meaning():
    for columns in TABLES.values():
        assert all(column.unit and column.meaning for column in columns.values())
