"""The figures of networks as functions: what is shown, what is hollow, and what is left out."""

import warnings

import numpy as np
import pandas as pd
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from support.function_tables import (
    UNKNOWN,
    fit,
    make_degrees,
    make_measured,
    make_profile,
    make_regressions,
    table,
)

from nstar.report.style import model_looks, save
from nstar.subjects.functions.figures.dynamics import draw_dynamics, median_course
from nstar.subjects.functions.figures.functions import draw_degrees, draw_sensitivity, draw_tradeoff
from nstar.subjects.functions.figures.growth import draw_growth
from nstar.subjects.functions.figures.profiles import draw_insensitive, draw_profiles
from nstar.subjects.functions.selection import main_sharpness, settled_rows, with_sharpness

SETTLED = 1000
DRAWINGS = {
    "growth": lambda t: draw_growth(t["measures"], t["sharpness"], t["regressions"], SETTLED),
    "tradeoff": lambda t: draw_tradeoff(t["measures"]),
    "dynamics": lambda t: draw_dynamics(t["measures"], t["sharpness"]),
    "sensitivity": lambda t: draw_sensitivity(t["measures"], t["sharpness"], t["regressions"]),
    "degrees": lambda t: draw_degrees(t["degrees"]),
    "insensitive": lambda t: draw_insensitive(t["sensitivity_profile"], t["measures"]),
    "profiles": lambda t: draw_profiles(t["sensitivity_profile"], t["measures"]),
}


def everything(**sizes):
    found = make_measured(**sizes) | {"regressions": make_regressions(), "degrees": make_degrees()}
    return found | {"sensitivity_profile": make_profile(found["measures"])}


def single():
    tables = everything(
        models=["transformer"], tasks=["parity"], lengths=[10], seeds=[1], steps=[4000]
    )
    tables["regressions"] = tables["regressions"].assign(**UNKNOWN)
    return tables | {"degrees": make_degrees(["transformer"], [4], [1])}


def nothing_learnt():
    tables = everything(models=["lstm"])
    tables["measures"] = tables["measures"].assign(learnt=False, converged_at=pd.NA)
    tables["measures"] = tables["measures"].astype({"converged_at": "Int64"})
    blank = ("regressions", "degrees", "sensitivity_profile")
    return tables | {key: tables[key].iloc[:0] for key in blank}


def nan():
    tables = everything(models=[f"model_with_a_long_name_{i}" for i in range(4)])
    numbers = ["loss", "parameter_norm", "plain_blowup", "blowup", "average_sensitivity"]
    tables["measures"] = tables["measures"].assign(**dict.fromkeys(numbers, np.nan))
    tables["sharpness"] = tables["sharpness"].assign(sharpness=np.nan)
    return tables | {"degrees": tables["degrees"].assign(weight=np.nan)}


CASES = {
    "plain": everything,
    "single": single,
    "nothing learnt": nothing_learnt,
    "nan": nan,
    "final alone": lambda: everything(steps=[4000]),
    "no perturbation": lambda: everything() | {"sharpness": make_measured()["sharpness"].iloc[:0]},
    "eight": lambda: everything(
        models=[f"model_with_a_long_name_{i}" for i in range(8)],
        tasks=["parity", "first"],
        lengths=[4, 22],
        seeds=[1, 2],
    ),
}


@pytest.mark.parametrize("drawing", DRAWINGS)
@pytest.mark.parametrize("case", CASES)
def test_every_figure_survives_every_case_without_warning(case, drawing):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        figure = DRAWINGS[drawing](CASES[case]())
        renderer = FigureCanvasAgg(figure).get_renderer()
        figure.draw_without_rendering()

    canvas = figure.bbox.padded(1)
    panels = [panel.get_tightbbox(renderer) for panel in figure.axes]
    legends = [legend.get_window_extent(renderer) for legend in figure.legends]
    for box in [*panels, *legends]:
        assert canvas.containsx(box.x0) and canvas.containsx(box.x1), "something is cut off"
        assert canvas.containsy(box.y0) and canvas.containsy(box.y1), "something is cut off"
    assert not any(box.overlaps(legend) for box in panels for legend in legends)


@pytest.mark.parametrize("drawing", DRAWINGS)
def test_saving_twice_gives_the_same_bytes(drawing, tmp_path):
    tables = everything(
        models=["transformer"], tasks=["parity", "first"], lengths=[4, 22], seeds=[1, 2]
    )
    first, second = (
        save(DRAWINGS[drawing](tables), tmp_path / name, 60) for name in ("once", "twice")
    )
    for one, other in zip(first, second, strict=True):
        assert one.read_bytes() == other.read_bytes()


def marks(panel, filled):
    """Return the (x, y) of the marks of runs, filled or hollow."""
    return [
        point
        for line in panel.lines
        if line.get_linestyle() == "None" and (line.get_markerfacecolor() != "white") == filled
        for point in zip(line.get_xdata(), line.get_ydata(), strict=True)
    ]


def titles(figure):
    found = (panel.get_title(loc="left").replace("\n", " ") for panel in figure.axes)
    return [title for title in found if title]


def note(figure, shown):
    assert len(figure.axes) == 1 and not figure.axes[0].axison
    return shown.texts(figure)[0]


def test_growth_has_a_column_for_each_moment_the_share_and_convergence(shown):
    figure = DRAWINGS["growth"](everything(steps=range(250, 5001, 250)))

    assert titles(figure) == [
        "sharpness at the end of training",
        "sharpness 1000 to 2000 steps after convergence",
        "share of runs that learnt",
        "convergence, steps",
    ]
    assert [panel.get_ylabel() for panel in figure.axes[::4]] == ["transformer", "lstm"]
    assert shown.legend(figure) == [
        *("parity", "majority", "first", "mean", "a run that learnt", "a run that did not learn"),
        *("mean of runs that learnt", "straight line fitted"),
    ]


def test_growth_shows_the_sharpness_of_the_paper_of_every_run_hollow_where_not_learnt():
    tables = everything(models=["transformer"], tasks=["parity"])
    panel = DRAWINGS["growth"](tables).axes[0]

    rows = tables["sharpness"].query("final and perturbation == 'gaussian'")
    lost = (rows["length"] == 22) & (rows["seed"] == 3)
    assert sorted(y for _, y in marks(panel, filled=True)) == sorted(rows.loc[~lost, "sharpness"])
    assert [y for _, y in marks(panel, filled=False)] == list(rows.loc[lost, "sharpness"])


def test_lines_of_growth_join_the_means_of_runs_that_learnt():
    tables = everything(models=["transformer"], tasks=["parity"])
    sharp, _, share, converged = DRAWINGS["growth"](tables).axes

    rows = tables["sharpness"].query("final and perturbation == 'gaussian'")
    rows = rows[(rows["length"] < 22) | (rows["seed"] < 3)]
    (means,) = [
        line for line in sharp.lines if len(line.get_xdata()) == 4 and line.get_zorder() == 3
    ]
    assert list(means.get_ydata()) == pytest.approx(
        list(rows.groupby("length")["sharpness"].mean())
    )
    assert [y for _, y in marks(share, filled=True)] == pytest.approx([1, 1, 1, 2 / 3])
    assert {y for _, y in marks(converged, filled=True)} == {440, 800, 1160, 1520}


def test_the_fitted_line_of_growth_is_drawn_where_it_is_identified():
    tables = everything(models=["transformer"], tasks=["parity"])
    tables["regressions"] = table(
        "regressions", [fit("growth", "intercept", 0.1), fit("growth", "n", 0.02)]
    )

    def thin(tables):
        lines = DRAWINGS["growth"](tables).axes[0].lines
        return [list(line.get_ydata()) for line in lines if line.get_linewidth() == 0.6]

    assert thin(tables) == [pytest.approx([0.18, 0.54])]
    for wrong in ({"quantity": "parameter_norm"}, {"identified": False}, {"moment": "settled"}):
        assert thin(tables | {"regressions": tables["regressions"].assign(**wrong)}) == []


def test_without_a_run_that_learnt_growth_says_so_and_shows_the_others(shown):
    figure = DRAWINGS["growth"](nothing_learnt())

    assert titles(figure) == ["sharpness at the end of training", "share of runs that learnt"]
    assert shown.texts(figure) == ["no run learnt"]
    assert len(marks(figure.axes[0], filled=False)) == 48
    assert marks(figure.axes[0], filled=True) == []


def test_a_model_without_a_run_at_the_settled_moment_says_so(shown):
    tables = everything(tasks=["parity"])
    late = tables["measures"]["model"] == "lstm"
    tables["measures"].loc[late, "converged_at"] = 4000

    assert shown.texts(DRAWINGS["growth"](tables)) == ["not measured then"]


def test_the_tradeoff_has_a_row_per_model_and_at_most_four_lengths(shown):
    figure = DRAWINGS["tradeoff"](everything(lengths=[4, 6, 8, 10, 12, 14, 16]))

    assert titles(figure) == ["n = 4", "n = 8", "n = 12", "n = 16"]
    assert len(figure.axes) == 4 and not shown.texts(figure)  # the LSTM has no row
    assert len(marks(figure.axes[0], filled=True)) == 12


def test_a_run_that_did_not_learn_is_hollow_in_the_tradeoff():
    tables = everything(models=["transformer"], tasks=["parity"], lengths=[22])
    (panel,) = DRAWINGS["tradeoff"](tables).axes

    (row,) = tables["measures"].query("final and not learnt").itertuples()
    assert marks(panel, filled=False) == [(row.plain_blowup, row.parameter_norm)]
    assert len(marks(panel, filled=True)) == 2


def test_without_a_blowup_the_tradeoff_is_a_note(shown):
    text = note(DRAWINGS["tradeoff"](everything(models=["lstm"])), shown)
    assert text == "no blow-up was measured at the end of training"


def test_dynamics_count_steps_from_convergence_at_the_longest_shared_length():
    tables = everything(models=["transformer"], tasks=["parity", "first"])
    longest = (tables["measures"]["task"] == "parity") & (tables["measures"]["length"] == 22)
    tables["measures"].loc[longest, "converged_at"] = pd.NA
    figure = DRAWINGS["dynamics"](tables)

    assert titles(figure) == ["transformer, n = 16"]
    labels = ["loss", "sharpness", "plain blow-up", "parameter norm", "average\nsensitivity"]
    assert [panel.get_ylabel() for panel in figure.axes] == labels
    looks = model_looks(["parity", "first"])
    courses = [
        list(line.get_xdata())
        for line in figure.axes[1].lines
        if line.get_color() == looks["parity"].colour and line.get_linewidth() == 0.5
    ]
    assert courses == [[-660, -160, 840, 2840]] * 3  # parity of 16 bits converges at 1160


def test_a_quantity_that_no_model_has_takes_no_row_and_one_that_a_model_lacks_has_a_note(shown):
    of_both = DRAWINGS["dynamics"](everything())
    assert len(of_both.axes) == 10
    assert shown.texts(of_both) == ["not\nmeasured"]
    assert len(DRAWINGS["dynamics"](everything(models=["lstm"])).axes) == 4


def test_dynamics_of_a_single_step_are_a_note(shown):
    text = note(DRAWINGS["dynamics"](everything(steps=[4000])), shown)
    assert text == "no replicate that converged was measured at more than one step"


def test_medians_are_at_common_steps_and_only_where_half_of_the_runs_were_measured():
    rows = [
        {"seed": seed, "step": step, "since": step - converged, "y": seed * 10.0 + step}
        for seed, converged, last in ((1, 110, 600), (2, 90, 600), (3, 300, 400))
        for step in range(100, last + 1, 100)
    ]
    same = {"model": "a", "task": "b", "supervision": "", "length_distribution": "", "length": 4}
    rows = pd.DataFrame(rows).assign(**same, budget=0, learning_rate=0.1)

    medians = median_course(rows)

    assert list(medians.index) == [0, 100, 200, 300, 400, 500]  # -200 and -100 are of seed 3 alone
    assert medians[0] == 120 and medians[500] == 615


def test_sensitivity_has_a_panel_per_model_with_line_and_correlation(shown):
    tables = everything()
    figure = DRAWINGS["sensitivity"](tables)

    assert titles(figure) == ["transformer, n = 22, r = 0.88", "lstm, n = 22, r = 0.88"]
    (line,) = [line for line in figure.axes[0].lines if line.get_linewidth() == 0.8]
    np.testing.assert_allclose(line.get_ydata(), 0.08 + 0.045 * line.get_xdata())
    assert "straight line fitted" in shown.legend(figure)
    assert len(marks(figure.axes[0], filled=True)) == 11
    assert len(marks(figure.axes[0], filled=False)) == 1


@pytest.mark.parametrize(
    "change", [UNKNOWN, {"length": 10}, {"moment": "settled"}, {"quantity": "loss_increase"}]
)
def test_a_regression_of_something_else_has_no_line_in_sensitivity(shown, change):
    tables = everything()
    figure = DRAWINGS["sensitivity"](
        tables | {"regressions": tables["regressions"].assign(**change)}
    )

    assert titles(figure) == ["transformer, n = 22", "lstm, n = 22"]
    assert "straight line fitted" not in shown.legend(figure)


def test_degrees_show_target_and_range_at_the_longest_length():
    figure = DRAWINGS["degrees"](everything())

    assert titles(figure) == ["parity, n = 10", "first, n = 10", "mean, n = 10"]
    heights = [bar.get_height() for bar in figure.axes[0].patches]
    assert heights == [0.0] * 10 + [1.0]
    first, second = marks(figure.axes[0], filled=True)[10], marks(figure.axes[0], filled=True)[21]
    assert first[0] < 10 < second[0]
    assert first[1] == second[1] == pytest.approx(0.9 + 0.0075)
    bars = [segment for part in figure.axes[0].collections for segment in part.get_segments()]
    np.testing.assert_allclose(bars[10][:, 1], [0.905, 0.91])


def test_without_a_profile_degrees_are_a_note(shown):
    text = note(draw_degrees(make_degrees().iloc[:0]), shown)
    assert text == "no degree profile was measured at the end of training"


def test_settled_is_the_first_measured_step_in_time():
    measures = make_measured(
        models=["lstm"], tasks=["first"], lengths=[4], steps=[1000, 1200, 2200, 2201]
    )["measures"]  # convergence at 200
    assert list(settled_rows(measures, 1000)["step"]) == [1200] * 3
    assert list(settled_rows(measures, 1001)["step"]) == [2200] * 3
    assert list(settled_rows(measures, 2001)["step"]) == [2201] * 3
    never = measures.assign(converged_at=pd.array([pd.NA] * len(measures), dtype="Int64"))
    assert settled_rows(never, 1000).empty


def test_settled_is_no_later_than_twice_the_time():
    measures = make_measured(models=["lstm"], tasks=["first"], lengths=[4], steps=[100, 2200])
    assert len(settled_rows(measures["measures"], 1000)) == 3
    assert settled_rows(measures["measures"], 999).empty


def test_the_sharpness_of_the_paper_is_taken_where_it_is_there():
    tables = make_measured(models=["lstm"], tasks=["first"], lengths=[4], seeds=[1])
    measured, name = with_sharpness(tables["measures"], tables["sharpness"])
    other = tables["sharpness"].query("perturbation == 'sphere'")

    assert name == "sharpness_gaussian_0.02"
    assert len(measured) == 4 and measured["sharpness"].notna().all()
    assert with_sharpness(tables["measures"], other)[1] == "sharpness_sphere_1"
    assert main_sharpness([]) == ""
