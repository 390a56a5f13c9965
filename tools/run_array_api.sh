#!/bin/sh
# Run the Python Array API test suite on septet.
#
#   tools/run_array_api.sh FOLDER [options of pytest]
#
# FOLDER is a clone, with submodules, of https://github.com/data-apis/array-api-tests whose requirements are installed.
# By default 50 examples per test; "--max-examples N" among the options sets another number.
set -eu
if [ $# -lt 1 ] || [ ! -d "$1/array_api_tests" ]; then
    echo "usage: tools/run_array_api.sh FOLDER [options of pytest]; FOLDER holds the test suite" >&2
    exit 2
fi
root=$(cd "$(dirname "$0")/.." && pwd)
cd "$1"
shift
PYTHONPATH="$root${PYTHONPATH:+:$PYTHONPATH}" ARRAY_API_TESTS_MODULE=septet \
    exec "${PYTHON:-python}" -m pytest -q --disable-deadline --max-examples 50 array_api_tests "$@"
