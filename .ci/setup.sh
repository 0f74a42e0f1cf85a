#!/bin/sh
# Make the project's own environment: sh .ci/setup.sh VENV [PYTHON]. Safe to repeat.
set -eu
venv=$1 python=${2:-python3}
pins=.ci/constraints.txt

"$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || {
    echo "pmcoa-build needs Python 3.11 or newer; name one with make PYTHON=python3.11" >&2
    exit 2
}
[ -x "$venv/bin/python" ] || "$python" -m venv "$venv"
pip="$venv/bin/python -m pip --disable-pip-version-check --quiet"

# Without a GPU the CPU builds are taken from PyTorch's own index (where it is reachable): PyPI's are CUDA builds.
index=
nvidia-smi -L >/dev/null 2>&1 || index="--extra-index-url https://download.pytorch.org/whl/cpu"
echo "Setting up $venv (a few minutes the first time) ..."
# shellcheck disable=SC2086
$pip install $index --constraint $pins torch torchvision 2>"$venv/setup.log" || { cat "$venv/setup.log" >&2; exit 1; }
$pip install --no-deps --requirement $pins
$pip install --no-deps --editable .
touch "$venv/.ready"
