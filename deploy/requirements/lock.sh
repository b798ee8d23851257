#!/bin/sh
# Write constraints.txt (the versions of all parts together) and locked/ (each part's packages with the hashes of their
# files) from the parts' own files: `make lock`. Versions that these do not name stay as they are; to raise them too,
# `make lock UPGRADE=1`. Needs an index that serves the published files, as the default one of uv.
set -eu
uv=$PWD/$1
raise=${2:+--upgrade}
shared="export serving gateway ui client train bench test fuzz"
alone="generators label-studio object-store compose tools"
here=deploy/requirements
work=.cache/lock/parts

compile() {
  "$uv" pip compile --quiet --python-version 3.11 --no-annotate --custom-compile-command "make lock" "$@"
}

# Without the constraints, which are what is looked for here.
rm -rf "$work"
mkdir -p "$work" "$here/locked"
for part in $shared; do sed '/^-c /d' "$here/$part.txt" >"$work/$part.txt"; done
compile --universal $raise --output-file "$here/constraints.txt" $(for part in $shared; do echo "$work/$part.txt"; done)

# The builds of torch and torchvision differ from index to index, so no hash fits all.
for part in $shared; do
  compile --universal --generate-hashes --no-emit-package torch --no-emit-package torchvision \
    --output-file "$here/locked/$part.txt" "$here/$part.txt"
done
# Label Studio's packages do not go together on every Python: these are for CI's.
for part in $alone; do
  compile --generate-hashes --output-file "$here/locked/$part.txt" "$here/$part.txt"
done
# They come without what they need: the product has it, and other builds of OpenCV would get in its way.
compile --no-deps --generate-hashes --output-file "$here/locked/formats.txt" "$here/formats.txt"
