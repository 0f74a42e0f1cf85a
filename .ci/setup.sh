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
install() {
    "$venv/bin/python" -m pip --disable-pip-version-check --quiet install "$@" >"$venv/setup.log" 2>&1 || {
        cat "$venv/setup.log" >&2
        exit 1
    }
}

echo "Setting up $venv (a few minutes the first time) ..." >&2
# Without a GPU the CPU builds come from PyTorch's own index (where it can be reached): PyPI's are CUDA builds.
if nvidia-smi -L >/dev/null 2>&1; then index=; else index=--extra-index-url=https://download.pytorch.org/whl/cpu; fi
install ${index:+"$index"} --constraint $pins torch torchvision
install --no-deps --requirement $pins
install --no-deps --editable .
touch "$venv/.ready"
