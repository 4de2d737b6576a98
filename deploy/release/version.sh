#!/usr/bin/env bash
# Prints `version=1.2.3` for the tag `v1.2.3`, if Cargo.toml has this version and CHANGELOG.md describes it.
set -euo pipefail
cd "$(dirname "$0")/../.."

tag=${1:?'give the tag: version.sh v1.2.3'}
version=$(sed -n 's/^version = "\(.*\)"$/\1/p' Cargo.toml | head -n 1)
if [ "$tag" != "v$version" ]; then
  echo "the tag is \`$tag\`, but Cargo.toml has the version $version: tag v$version, or change Cargo.toml" >&2
  exit 1
fi
if ! grep -q "^## \[$version\] - [0-9]" CHANGELOG.md; then
  echo "CHANGELOG.md has no heading \`## [$version] - YYYY-MM-DD\`: write the date of the release" >&2
  exit 1
fi
echo "version=$version"
