// A Firefox opens the lab, learns in the page and reads a drawing: said as JSON. Arguments: one JSON object,
// { firefox, url, points }, points in shares of the pad's side.
import { launch } from 'puppeteer-core';

const { firefox, url, points } = JSON.parse(process.argv[2]), timeout = 120_000;
const browser = await launch({ browser: 'firefox', executablePath: firefox, protocol: 'webDriverBiDi', headless: true });
try {
  const page = await browser.newPage(), wrong = [];
  page.on('pageerror', error => wrong.push(String(error)));
  await page.setViewport({ width: 1280, height: 900 });
  await page.goto(url, { timeout });
  const seen = async selector => page.waitForSelector(selector, { visible: true, timeout });
  const text = async id => (await seen(`[data-testid=${id}]`)).evaluate(element => element.textContent);
  await (await seen('[data-testid=train-browser]')).click();
  await seen('[data-testid=train-start]');
  await page.select('#here-size', '5000');
  await page.click('[data-testid=train-start]');
  await seen('.browser-training[data-phase=done]');
  const canvas = await seen('.pad-here canvas');
  await canvas.evaluate(element => element.scrollIntoView({ block: 'center' }));
  const box = await canvas.boundingBox(), at = ([x, y]) => [box.x + x * box.width, box.y + y * box.height];
  await page.mouse.move(...at(points[0]));
  await page.mouse.down();
  for (const point of points.slice(1)) await page.mouse.move(...at(point), { steps: 4 });
  await page.mouse.up();
  const said = { accuracy: await text('train-accuracy'), rate: await text('train-rate'), answer: await text('answer'), wrong };
  console.log(JSON.stringify(said));
} finally {
  await browser.close();
}
