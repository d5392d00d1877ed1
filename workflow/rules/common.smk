"""The study and its plan: every other file of rules reads PLAN.

Reads the configuration and the names of the files below results/; imports no torch.
"""

import json
import sys

from snakemake.utils import update_config

from nstar.config_check import load_study
from nstar.config_file import read_config
from nstar.errors import NstarError
from nstar.plan import make_plan
from nstar.specification import RECIPES

PYTHON = sys.executable
SCRIPTS = f"{workflow.basedir}/scripts"

if not workflow.overwrite_configfiles:
    # What `configfile:` would note; Snakemake's reader takes the last of two equal keys.
    workflow.configfiles.append("config.yaml")

try:
    for path in workflow.configfiles:
        update_config(config, read_config(path))
    update_config(config, workflow.config_settings.config)  # --config key=value
    STUDY = load_study(config)
    PLAN = make_plan(STUDY, "results")
except NstarError as error:
    raise SystemExit(f"error: {error}") from None  # without lines of the code


def as_rule_name(rule, batch):
    """Return the name of the rule that makes a batch: `train_cells-lstm-parity-8`."""
    values = [segment.partition("~")[2] or segment for segment in batch.name.split("/")]
    return "-".join([rule, *values])  # names of models and tasks hold no hyphen


def text(value):
    """Return a params function: the braces of a JSON text are no wildcards."""
    return lambda wildcards: value


def part_of_study(stage, **options):
    """Return a params function with parts of the study, in their order, and the recipe of the stage."""
    return text(json.dumps({"recipe": RECIPES[stage], **options}))
