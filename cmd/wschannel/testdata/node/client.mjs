// A client made with ws, for the test of `wschannel serve`:
//
//	node client.mjs URL         goes through what an echo server has to do
//	node client.mjs URL drain   prints "open", then the code it is closed with
//
// What goes wrong is an exception, and the exit status is 1.

import assert from 'node:assert/strict';
import { once } from 'node:events';
import WebSocket from 'ws';

const [url, mode] = process.argv.slice(2);

// Nothing here takes long.
setTimeout(() => {
  console.error('the client has waited for too long');
  process.exit(1);
}, 25_000).unref();

async function connect() {
  const ws = new WebSocket(url);
  await once(ws, 'open');
  return ws;
}

// echo sends data and checks what comes back.
async function echo(ws, data) {
  const answer = once(ws, 'message');
  ws.send(data);
  await expect(answer, data);
}

async function expect(answer, data) {
  const [received, binary] = await answer;
  assert.equal(binary, typeof data !== 'string');
  assert.ok(received.equals(Buffer.from(data)), `expected ${data.length} bytes back, got ${received.length} others`);
}

const tests = {
  async text(ws) {
    await echo(ws, 'Hello');
    await echo(ws, 'Grüße, 你好 👋');
  },

  async binary(ws) {
    await echo(ws, Buffer.from([0, 1, 127, 128, 254, 255]));
  },

  async empty(ws) {
    await echo(ws, '');
    await echo(ws, Buffer.alloc(0));
  },

  // The lengths at which the header of a frame changes its form.
  async lengths(ws) {
    for (const n of [125, 126, 127, 65535, 65536]) {
      await echo(ws, Buffer.alloc(n, n));
      await echo(ws, 'x'.repeat(n));
    }
  },

  async 'one MiB'(ws) {
    await echo(ws, Buffer.alloc(1 << 20, 'wschannel'));
    await echo(ws, 'x'.repeat(1 << 20));
  },

  // The fragments split a character, and a ping comes between them.
  async fragments(ws) {
    const [answer, pong] = [once(ws, 'message'), once(ws, 'pong')];
    const bytes = Buffer.from('fragmented ☕ text');
    ws.send(bytes.subarray(0, 12), { fin: false, binary: false });
    ws.ping('between');
    ws.send(bytes.subarray(12, 13), { fin: false, binary: false });
    ws.send(Buffer.alloc(0), { fin: false, binary: false });
    ws.send(bytes.subarray(13), { fin: true, binary: false });
    await expect(answer, bytes.toString());
    assert.equal((await pong)[0].toString(), 'between');
  },

  async ping(ws) {
    for (const payload of ['', 'ping', 'x'.repeat(125)]) {
      const pong = once(ws, 'pong');
      ws.ping(payload);
      assert.equal((await pong)[0].toString(), payload);
    }
  },

  async order(ws) {
    const sent = Array.from({ length: 1000 }, (_, i) => `message ${i}`);
    const received = [];
    const all = new Promise((resolve) => {
      ws.on('message', (data) => {
        if (received.push(data.toString()) === sent.length) resolve();
      });
    });
    for (const s of sent) ws.send(s);
    await all;
    assert.deepEqual(received, sent);
  },

  async 'no extension'(ws) {
    assert.equal(ws.extensions, ''); // ws has offered permessage-deflate
  },

  async 'close with a code and a reason'(ws) {
    const closed = once(ws, 'close');
    ws.close(4001, 'raisin');
    const [code, reason] = await closed;
    assert.equal(code, 4001);
    assert.equal(reason.toString(), 'raisin');
  },

  async 'close without a code'(ws) {
    const closed = once(ws, 'close');
    ws.close();
    assert.equal((await closed)[0], 1005);
  },

  async 'not UTF-8'(ws) {
    const closed = once(ws, 'close');
    ws.send(Buffer.from([0xff]), { binary: false });
    assert.equal((await closed)[0], 1007);
  },
};

if (mode === 'drain') {
  const ws = await connect();
  console.log('open');
  const [code] = await once(ws, 'close');
  console.log(`closed ${code}`);
} else {
  for (const [name, test] of Object.entries(tests)) {
    const ws = await connect();
    await test(ws).catch((err) => {
      throw new Error(`${name}: ${err.message}`, { cause: err });
    });
    console.log(name);
    ws.terminate();
  }
}
