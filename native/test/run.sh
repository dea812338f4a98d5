#!/bin/sh
# The native suite: everything under AddressSanitizer and UBSan, what has threads under ThreadSanitizer as well.
set -eu
cd "$(dirname "$0")"
threaded=$(basename -s .cc acceptor_*test.cc breaker_test.cc)

make --silent -j2 all
make --silent run
make --silent -j2 SANITIZE=thread TESTS="$threaded" all
make --silent SANITIZE=thread TESTS="$threaded" run
