"""Rows of settled and of insensitive networks, and the sharpness that figures and findings show."""

from collections.abc import Iterable

import pandas as pd

from nstar.tables.selection import REPLICATE

PAPER_SHARPNESS = "sharpness_gaussian_0.02"
"""The sharpness that arXiv:2402.09963 measures."""

UNTRAINED, LEARNT, NOT_LEARNT = NETWORKS = ("untrained", "learnt", "not_learnt")
"""What networks are told apart by: at step 0, or at the end of training by whether they learnt."""


def settled_rows(measures: pd.DataFrame, settled_steps: int) -> pd.DataFrame:
    """Return each replicate as it was measured some time after it converged.

    Parameters
    ----------
    measures : DataFrame
        One row per replicate and measured step.
    settled_steps : int
        Steps after convergence, not negative.

    Returns
    -------
    DataFrame
        Of each replicate the first row that was measured at least `settled_steps` after it converged,
        and at most twice that; replicates without such a row are left out.
    """
    since = measures["step"] - measures["converged_at"].astype("Float64")
    late = since.between(settled_steps, 2 * settled_steps).fillna(False).astype(bool)
    return measures[late].sort_values("step", kind="stable").drop_duplicates(REPLICATE).sort_index()


def sharpness_name(perturbation: str, size: float) -> str:
    """Return what the tables of fits call the sharpness of a perturbation.

    Examples
    --------
    >>> sharpness_name("gaussian", 0.02)
    'sharpness_gaussian_0.02'
    """
    return f"sharpness_{perturbation}_{size:g}"


def sharpness_names(sharpness: pd.DataFrame) -> list[str]:
    """Return what each row of the table of sharpness is called in the tables of fits."""
    return [
        sharpness_name(*kind)
        for kind in zip(sharpness["perturbation"], sharpness["size"], strict=True)
    ]


def main_sharpness(quantities: Iterable[str]) -> str:
    """Return which sharpness is shown: that of the paper where it is there, else the first, else "".

    Examples
    --------
    >>> main_sharpness(["loss", "sharpness_sphere_1", "sharpness_gaussian_0.02"])
    'sharpness_gaussian_0.02'
    >>> main_sharpness(["loss", "sharpness_sphere_1"])
    'sharpness_sphere_1'
    """
    names = [name for name in dict.fromkeys(quantities) if name.startswith("sharpness_")]
    return PAPER_SHARPNESS if PAPER_SHARPNESS in names else next(iter(names), "")


def with_sharpness(measures: pd.DataFrame, sharpness: pd.DataFrame) -> tuple[pd.DataFrame, str]:
    """Return the rows of `measures` with one `sharpness` each, and the name of this sharpness.

    With it comes `training_sharpness` of the same perturbation, where the table has it.

    Parameters
    ----------
    measures, sharpness : DataFrame
        The tables of these names.

    Returns
    -------
    tuple of DataFrame and str
        The rows, NaN where sharpness was not measured, and the name, see `main_sharpness`.
    """
    names = sharpness_names(sharpness)
    name = main_sharpness(names)
    keys = [*REPLICATE, "step", "final"]
    values = [key for key in ("sharpness", "training_sharpness") if key in sharpness]
    chosen = sharpness.loc[[other == name for other in names], [*keys, *values]]
    return measures.merge(chosen, on=keys, how="left", validate="one_to_one"), name


def insensitive_inputs(profile: pd.DataFrame, measures: pd.DataFrame) -> pd.DataFrame:
    """Return K_0 of untrained and of final networks.

    Parameters
    ----------
    profile : DataFrame
        Rows of the table `sensitivity_profile`.
    measures : DataFrame
        Rows of the table of this name, of the same runs.

    Returns
    -------
    DataFrame
        One row per network and cut, with the columns of the profile at s = 0 and `networks`, see
        `NETWORKS`. An untrained network depends on its model, its length and the seed of its initial
        weights alone: of several tasks, budgets, learning rates and other seeds that go with it, one row
        stands for all, whose `task` is empty.
    """
    at = [*REPLICATE, "step"]
    rows = profile[profile["sensitivity"] == 0].merge(
        measures[[*at, "learnt"]], on=at, how="left", validate="many_to_one"
    )
    before = rows[(rows["step"] == 0) & ~rows["final"]].assign(task="", networks=UNTRAINED)
    before = before.drop_duplicates(
        ["supervision", "model", "length", "initialisation_seed", "cut"]
    )
    final = rows[rows["final"]]
    final = final.assign(networks=final["learnt"].map({True: LEARNT, False: NOT_LEARNT}))
    return pd.concat(
        [part for part in (before, final) if len(part)] or [before.assign(networks="")]
    )
