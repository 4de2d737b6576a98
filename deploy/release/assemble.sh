#!/usr/bin/env bash
# Makes the files of a release from what was built: assemble.sh BUILT RELEASE
#
# BUILT has functions-ARCHITECTURE/NAME.zip, command-line-TARGET/ecs-parrot-TARGET.tar.gz and ecs-parrot.cdx.json.
# RELEASE gets, for each architecture, NAME-ARCHITECTURE.zip, and the Terraform module and the SAM template with the zips
# that they deploy; the command line; the template of members; SHA256SUMS; and NOTES.md, the text of the release.
set -euo pipefail

built=$(realpath "${1:?'give the folder of what was built, and the folder of the release'}")
mkdir -p "${2:?'give the folder of the release'}"
release=$(realpath "$2")
cd "$(dirname "$0")/../.."

functions=(parrot run-from-queue deploy-hook)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# Packs the folder `$1` of the work folder as `$2`.
pack() {
  (cd "$work" && python3 -m zipfile -c "$release/$2" "$1")
}

for architecture in x86_64 arm64; do
  zips=$built/functions-$architecture
  for function in "${functions[@]}"; do
    cp "$zips/$function.zip" "$release/$function-$architecture.zip"
  done

  terraform=$work/ecs-parrot-terraform-$architecture
  mkdir -p "$terraform/dist"
  cp -r deploy/terraform/. "$terraform/"
  cp LICENSE "$terraform/"
  cp "$zips"/*.zip "$terraform/dist/"
  # The examples find the zips beside the module, and the functions get the CPU for which they were built.
  sed -i.bak "s|/../../../../dist|/../../dist|" "$terraform"/examples/*/main.tf
  sed -i.bak "/^variable \"architecture\"/,/^}/ s|default     = \"x86_64\"|default     = \"$architecture\"|" "$terraform/variables.tf"
  find "$terraform" -name '*.bak' -delete
  pack "ecs-parrot-terraform-$architecture" "ecs-parrot-terraform-$architecture.zip"

  sam=$work/ecs-parrot-sam-$architecture
  mkdir -p "$sam"
  cp "$zips"/*.zip LICENSE "$sam/"
  sed "s|CodeUri: ../../dist/|CodeUri: |; /^  Architecture:/,/Default:/ s|Default: x86_64|Default: $architecture|" \
    deploy/sam/template.yaml >"$sam/template.yaml"
  pack "ecs-parrot-sam-$architecture" "ecs-parrot-sam-$architecture.zip"
done

cp "$built"/command-line-*/ecs-parrot-*.tar.gz "$built/ecs-parrot.cdx.json" "$release/"
cp deploy/cloudformation/member.yaml "$release/ecs-parrot-member.yaml"
(cd "$release" && sha256sum -- * >"$work/SHA256SUMS")
mv "$work/SHA256SUMS" "$release/"
# The newest part of the changelog.
awk '/^## \[/ { part += 1 } part == 1' CHANGELOG.md >"$release/NOTES.md"
