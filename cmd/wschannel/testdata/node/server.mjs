// A server made with ws, for the test of `wschannel connect`. It prints the
// port that it listens on, and then how each connection was closed. The path of
// a connection says what happens on it. The server ends with its standard input.

import { once } from 'node:events';
import { createServer } from 'node:http';
import { WebSocketServer } from 'ws';

process.stdin.on('end', () => process.exit()).resume();

// No test takes that long.
setTimeout(() => process.exit(1), 120_000).unref();

const paths = {
  '/echo'(ws) {
    ws.on('message', (data, binary) => ws.send(data, { binary }));
  },

  '/once'(ws) {
    ws.on('message', (data, binary) => {
      ws.send(data, { binary });
      ws.close(1000);
    });
  },

  '/close'(ws) {
    ws.on('message', (data) => ws.close(4001, data));
  },

  '/normal'(ws) {
    ws.send('bye');
    ws.close(1000);
  },

  '/codeless'(ws) {
    ws.close();
  },

  '/terminate'(ws) {
    ws.send('going', () => ws.terminate());
  },

  '/binary'(ws) {
    ws.send(Buffer.alloc(1 << 20));
    ws.send('text', () => ws.close(1000));
  },

  '/large'(ws) {
    ws.send('x'.repeat(3 << 20), () => ws.close(1000));
  },

  // The fragments split a character; each is sent when the ping before it is
  // answered.
  async '/fragments'(ws) {
    const bytes = Buffer.from('fragmented ☕ text');
    for (const [from, to] of [[0, 12], [12, 13], [13, bytes.length]]) {
      const pong = once(ws, 'pong');
      ws.ping(`before ${from}`);
      const [payload] = await pong;
      if (payload.toString() !== `before ${from}`) ws.close(4002, `pong with ${payload}`);
      ws.send(bytes.subarray(from, to), { fin: to === bytes.length, binary: false });
    }
    ws.close(1000);
  },

  // ws sends what it is told to.
  '/invalid'(ws) {
    ws.send(Buffer.from('not UTF-8: \xff', 'latin1'), { binary: false });
  },
};

const server = createServer((request, response) => {
  response.writeHead(404);
  response.end('no WebSocket here\n');
});

const channels = new WebSocketServer({ noServer: true });

server.on('upgrade', (request, socket, head) => {
  const serve = paths[request.url];
  if (!serve) {
    socket.end('HTTP/1.1 401 Unauthorized\r\nConnection: close\r\nContent-Length: 16\r\n\r\nlog in at /login');
    return;
  }
  channels.handleUpgrade(request, socket, head, (ws) => {
    ws.on('close', (code, reason) => console.log(`${request.url} closed ${code} ${reason}`));
    ws.on('error', (err) => console.log(`${request.url} failed: ${err.message}`));
    serve(ws);
  });
});

server.listen(0, '127.0.0.1', () => console.log(`listening on ${server.address().port}`));
