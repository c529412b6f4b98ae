// A WebSocket peer made with ws, for the interoperability tests:
//
//	node peer.mjs CERTIFICATE KEY CA
//
// It is a server, with TLS and without, and connects as a client when it is
// told to. It reads commands from standard input and prints events on standard
// output, each a JSON object on a line. ../peers.md lists them. It ends with
// its standard input.

import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import http from 'node:http';
import https from 'node:https';
import { createInterface } from 'node:readline';
import WebSocket, { WebSocketServer } from 'ws';

const maxPayload = 17 << 20;
const [cert, key, ca] = process.argv.slice(2).map((name) => readFileSync(name));
const channels = new Map();

function tell(event) {
  process.stdout.write(JSON.stringify(event) + '\n');
}

function watch(id, ws) {
  channels.set(id, ws);
  ws.on('message', (data, binary) => {
    const sha256 = createHash('sha256').update(data).digest('hex');
    tell({ id, event: 'message', binary, size: data.length, sha256 });
  });
  ws.on('ping', (payload) => tell({ id, event: 'ping', text: payload.toString() }));
  ws.on('pong', (payload) => tell({ id, event: 'pong', text: payload.toString() }));
  ws.on('error', (err) => tell({ id, event: 'error', text: err.message }));
  ws.on('close', (code, reason) => {
    channels.delete(id);
    tell({ id, event: 'closed', code, text: reason.toString() });
  });
}

function open(id, ws, headers) {
  watch(id, ws);
  tell({
    id,
    event: 'open',
    protocol: ws.protocol,
    extensions: ws.extensions,
    origin: headers.origin ?? '',
  });
}

const acceptor = new WebSocketServer({
  noServer: true,
  maxPayload,
  perMessageDeflate: { threshold: 0 },
  handleProtocols(offered) {
    if (offered.has('unoffered')) return 'other';
    return [...offered].find((name) => name.startsWith('chat')) ?? false;
  },
});

function upgrade(request, socket, head) {
  const [what, id] = request.url.slice(1).split('/');
  if (what === 'refuse') {
    socket.end('HTTP/1.1 403 Forbidden\r\nConnection: close\r\nContent-Length: 7\r\n\r\nnot you');
    tell({ id, event: 'refused', code: 403, text: '' });
    return;
  }
  acceptor.handleUpgrade(request, socket, head, (ws) => open(id, ws, request.headers));
}

const commands = {
  connect({ id, url, protocols, origin, trust }) {
    const ws = new WebSocket(url, protocols ?? [], {
      origin,
      maxPayload,
      perMessageDeflate: { threshold: 0 },
      ca: trust ? ca : undefined,
    });
    let refused = false;
    ws.once('unexpected-response', (request, response) => {
      refused = true;
      let text = '';
      response.setEncoding('utf8');
      response.on('data', (chunk) => (text += chunk));
      response.on('end', () => tell({ id, event: 'refused', code: response.statusCode, text }));
    });
    const early = (err) => refused || tell({ id, event: 'failed', text: err.message });
    ws.once('error', early);
    ws.once('open', () => {
      ws.off('error', early);
      open(id, ws, {});
    });
  },

  send({ id, binary, parts, times, ping }) {
    const ws = channels.get(id);
    const pieces = parts.map((p) => Buffer.from(p, 'base64'));
    if (times) pieces.push(Buffer.concat(Array(times).fill(pieces.pop())));
    pieces.forEach((piece, i) => {
      if (i > 0 && ping !== undefined) ws.ping(ping);
      ws.send(piece, { binary, fin: i === pieces.length - 1 });
    });
  },

  ping({ id, text }) {
    channels.get(id).ping(text);
  },

  close({ id, code, text }) {
    if (code) channels.get(id).close(code, text);
    else channels.get(id).close();
  },

  terminate({ id }) {
    channels.get(id).terminate();
  },
};

createInterface({ input: process.stdin })
  .on('line', (line) => {
    const command = JSON.parse(line);
    commands[command.do](command);
  })
  .on('close', () => process.exit());

const servers = [http.createServer(), https.createServer({ cert, key })];
for (const server of servers) {
  server.on('upgrade', upgrade);
  await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
}
const [port, tlsPort] = servers.map((server) => server.address().port);
tell({ id: '', event: 'listening', port, tlsPort, splits: true, codeless: true });
