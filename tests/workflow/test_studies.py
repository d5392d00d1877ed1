"""A study of every supervision and mix of lengths goes through the workflow to its figures."""

from running import ROOT, make_run, snakemake

from nstar.config_file import read_config
from nstar.tables import read_table
from nstar.tasks import LENGTH_DISTRIBUTIONS, SUPERVISIONS


def test_smoke_study_runs_to_its_figures(tmp_path):
    path = ROOT / "workflow/studies/induction_bias_smoke.yaml"
    run = make_run(tmp_path / "run", read_config(path))
    cells = read_table(run / "results/tables/cells.parquet", "cells")
    strata = set(zip(cells["supervision"], cells["length_distribution"], strict=True))
    assert strata == {(asked, mix) for asked in SUPERVISIONS for mix in LENGTH_DISTRIBUTIONS}
    assert cells["extrapolation_above_chance"].notna().all()
    assert len(read_table(run / "results/tables/sharing.csv", "sharing")) == 2 * 3 * 3 * 2
    drawn = {path.stem for path in (run / "results/figures").glob("*.svg")}
    assert {"sharing", "demand", "demand_outcome_uniform"} <= drawn
    assert len(drawn) == 1 + 5 * 9
    assert ">Comparisons<" in (run / "results/findings.html").read_text()
    again = snakemake(run, "--dry-run")
    assert "Nothing to be done" in again.stdout + again.stderr
