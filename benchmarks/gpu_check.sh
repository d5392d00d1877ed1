#!/usr/bin/env bash
# Check and measure nstar on a GPU in less than ten minutes, without a network: bash benchmarks/gpu_check.sh --help
# Packages that Python lacks are installed from .whl/ (see fetch_wheels.sh) into a temporary folder.
set -euo pipefail
cd "$(dirname "$0")/.."

PYTHON=${PYTHON:-python3}
site=$(mktemp -d)
trap 'rm -rf "$site"' EXIT
export PYTHONPATH=$site:$PWD/workflow:$PWD/tests:$PWD/benchmarks${PYTHONPATH:+:$PYTHONPATH}
export CUBLAS_WORKSPACE_CONFIG=:4096:8

if ! "$PYTHON" -c 'import nstar.store.archive, nstar.study' 2> /dev/null; then
    if compgen -G '.whl/*.whl' > /dev/null; then
        "$PYTHON" -m pip install --quiet --no-index --no-deps --no-compile --target "$site" .whl/*.whl
    else
        echo "$PYTHON lacks packages, and .whl/ is empty: fill it with benchmarks/fetch_wheels.sh" >&2
    fi
fi
"$PYTHON" benchmarks/gpu_check.py "$@"
