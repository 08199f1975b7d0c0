#!/bin/sh
# Unpacks the Debian packages with the crates that rust_async needs, without installing them (librust-pyo3-dev asks for
# far more than that: the crates of every feature pyo3 has): sh debian_sources.sh DIRECTORY
# Needs apt's lists of a Debian with pyo3 0.28 (sid). The sources are then in DIRECTORY/usr/share/cargo/registry.
set -eu
mkdir -p "$1"
cd "$1"
crates='pyo3 pyo3-ffi pyo3-macros pyo3-macros-backend pyo3-build-config libc once-cell portable-atomic target-lexicon
    heck proc-macro2 quote syn-2 unicode-ident'
for crate in $crates; do
    apt-get -q -o Acquire::Check-Valid-Until=false download "librust-$crate-dev"
done
for package in librust-*.deb; do
    dpkg-deb -x "$package" .
    rm "$package"
done
