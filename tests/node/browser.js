// Opens a page in a headless browser and prints its document. An error of the page's scripts or loading is a failure.
//
//   browser.js PAGE
//   browser.js PAGE WIDTH HEIGHT PICTURE     also takes a screenshot
//   browser.js PAGE QUESTION                 prints what a reader sees
//
// QUESTION is {"click": [SELECTOR…], "texts": [SELECTOR…]}. The browser clicks on the elements, one after another. Then it
// prints, for each selector of "texts", the list of the texts of its visible elements.
'use strict';

// The package contains libraries that a minimal machine lacks (NSS, NSPR). It uses them only if this variable says that
// it runs in AWS Lambda. It unpacks them and the browser into TMPDIR.
process.env.AWS_LAMBDA_JS_RUNTIME = 'nodejs20.x';
const chromium = require('@sparticuz/chromium');
const puppeteer = require('puppeteer-core');
const fs = require('node:fs');
const os = require('node:os');
const path = require('node:path');

// The font configuration of the package names only /tmp.
function useOwnFonts() {
  const fonts = path.join(os.tmpdir(), 'fonts');
  const file = path.join(os.tmpdir(), 'fonts.conf');
  fs.writeFileSync(
    file,
    `<?xml version="1.0"?><fontconfig><dir>${fonts}</dir><cachedir>${fonts}</cachedir></fontconfig>\n`,
  );
  process.env.FONTCONFIG_FILE = file;
}

// The errors of the page, which are noted until the browser is closed.
function errorsOf(tab) {
  const errors = [];
  tab.on('pageerror', (error) => errors.push(String(error)));
  tab.on('console', (message) => {
    if (message.type() === 'error') {
      errors.push(message.text());
    }
  });
  return errors;
}

async function visibleTexts(tab, { click, texts }) {
  for (const selector of click) {
    await tab.click(selector);
  }
  const answers = texts.map((selector) =>
    tab.$$eval(selector, (elements) =>
      elements.filter((it) => it.checkVisibility()).map((it) => it.innerText),
    ),
  );
  return JSON.stringify(await Promise.all(answers));
}

async function main([page, ...options]) {
  useOwnFonts();
  const browser = await puppeteer.launch({
    args: chromium.args,
    executablePath: await chromium.executablePath(),
    headless: 'shell',
  });
  try {
    const [width, height, picture] = options.length === 3 ? options : [1180, 740];
    const tab = await browser.newPage();
    const errors = errorsOf(tab);
    await tab.setViewport({ width: Number(width), height: Number(height) });
    await tab.goto(`file://${page}`);
    if (picture) {
      await tab.screenshot({ path: picture });
    }
    const isQuestion = options.length === 1;
    const answer = isQuestion
      ? await visibleTexts(tab, JSON.parse(options[0]))
      : await tab.content();
    if (errors.length > 0) {
      throw new Error(errors.join('\n'));
    }
    process.stdout.write(answer);
  } finally {
    await browser.close();
  }
}

main(process.argv.slice(2)).catch((error) => {
  console.error(error);
  process.exitCode = 1;
});
