import { setInterval } from 'node:timers/promises';

// A command of the demo: prints five lines a second for a minute, some in colour and some to the standard error.
const [green, plain] = ['\u001B[32m', '\u001B[39m'];
let line = 0;
for await (const _ of setInterval(200)) {
  line++;
  if (line % 25 === 0) console.error(`line ${line}: a remark on the standard error`);
  else console.log(`line ${line} of 300, ${green}${Math.round(line / 3)} %${plain}`);
  if (line === 300) break;
}
