#!/bin/sh
# The native suite: everything under AddressSanitizer and UBSan, what has threads under ThreadSanitizer as well.
set -eu
cd "$(dirname "$0")"
make --silent -j2 all
make --silent run
make --silent -j2 SANITIZE=thread TESTS="acceptor_test acceptor_stress_test" all
make --silent SANITIZE=thread TESTS="acceptor_test acceptor_stress_test" run
