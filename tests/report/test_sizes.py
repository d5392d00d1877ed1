"""Sizes of figures that a configuration may ask for: all of them can be drawn."""

import matplotlib.image
import pytest
from matplotlib.figure import Figure
from pydantic import ValidationError

from nstar.report.style import LONGEST_SIDE, save
from nstar.study.study import Figures


@pytest.mark.parametrize(("inches", "dots_per_inch"), [((3, 2), 20), ((0.3, 90), 1200)])
def test_a_figure_of_any_legal_size_is_drawn(inches, dots_per_inch, tmp_path):
    figure = Figure(inches)
    figure.text(0.1, 0.5, "n", fontsize=5)
    _, png = save(figure, tmp_path / "figure", dots_per_inch)
    height, width = matplotlib.image.imread(png).shape[:2]
    wanted = min(inches[1] * dots_per_inch, LONGEST_SIDE)
    assert height == pytest.approx(wanted, abs=1)
    assert width == pytest.approx(wanted * inches[0] / inches[1], abs=1)


@pytest.mark.parametrize("size", [{"width_inches": 2.9}, {"dots_per_inch": 19}])
def test_sizes_that_cannot_be_read_are_refused(size):
    with pytest.raises(ValidationError, match="must be at least"):
        Figures.model_validate(size)
