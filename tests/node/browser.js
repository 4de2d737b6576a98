// Opens a page in a headless browser and prints its document.
//
//   browser.js PAGE [WIDTH HEIGHT PICTURE]
//
// With a size and a file name it also takes a screenshot.
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

async function main([page, width, height, picture]) {
  useOwnFonts();
  const browser = await puppeteer.launch({
    args: chromium.args,
    executablePath: await chromium.executablePath(),
    headless: 'shell',
  });
  try {
    const tab = await browser.newPage();
    await tab.setViewport({ width: Number(width ?? 1180), height: Number(height ?? 740) });
    await tab.goto(`file://${page}`);
    if (picture) {
      await tab.screenshot({ path: picture });
    }
    process.stdout.write(await tab.content());
  } finally {
    await browser.close();
  }
}

main(process.argv.slice(2)).catch((error) => {
  console.error(error);
  process.exitCode = 1;
});
