#!/usr/bin/env bash
# Fetch into .whl/ what gpu_check.sh needs beside the usual packages of a machine for torch (12 MB), for another
# Python and processor than those here: bash benchmarks/fetch_wheels.sh 3.12 x86_64
# Further names fetch further packages: bash benchmarks/fetch_wheels.sh 3.12 x86_64 xarray pandas
set -euo pipefail
cd "$(dirname "$0")/.."

[ $# -ge 2 ] || { echo "usage: $0 PYTHON_VERSION PROCESSOR [PACKAGE ...]" >&2; exit 2; }
python_version=$1 processor=$2
shift 2
packages=(pydantic pydantic_core annotated-types typing-inspection typing_extensions
    zarr numcodecs donfig google-crc32c "$@")
platforms=(manylinux2014_"$processor")
for minor in {17..28}; do # pip takes the tag of a glibc to the letter
    platforms+=(manylinux_2_"$minor"_"$processor")
done

rm -rf .whl
"${PYTHON:-python3}" -m pip download --quiet --dest .whl --no-deps --only-binary=:all: \
    --python-version "$python_version" --implementation cp "${platforms[@]/#/--platform=}" \
    --constraint constraints.txt "${packages[@]}"
du --summarize --human-readable .whl
