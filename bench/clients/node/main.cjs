// A client on the WebSocket of JavaScript, in Node.js: what the other clients do, see
// ../../internal/drive.
let cfg, payload, conns;

function dial() {
  return new Promise((resolve, reject) => {
    const ws = new WebSocket("ws://" + cfg.Addr + "/echo");
    ws.binaryType = "arraybuffer";
    const conn = { ws, received: 0, sent: 0, messages: 0, over: null };
    ws.onopen = () => resolve(conn);
    ws.onerror = reject;
    ws.onmessage = (event) => {
      const reply = event.data;
      if (reply.byteLength !== payload.length || (conn.received % 16 === 0 && Buffer.compare(Buffer.from(reply), payload) !== 0)) {
        throw new Error("a reply differs from what was sent");
      }
      conn.received++;
      if (conn.sent < conn.messages) {
        conn.sent++;
        ws.send(payload);
      } else if (conn.received === conn.messages) {
        conn.over();
      }
    };
  });
}

function echo(conn, messages) {
  return new Promise((resolve) => {
    Object.assign(conn, { received: 0, messages, sent: Math.min(cfg.Depth, messages), over: resolve });
    for (let i = conn.sent; i > 0; i--) conn.ws.send(payload);
  });
}

const commands = {
  async open(rest) {
    cfg = JSON.parse(rest);
    payload = Buffer.from(cfg.Payload, "base64");
    conns = await Promise.all(Array.from({ length: cfg.Connections }, dial));
    console.log("open");
  },
  async run(rest) {
    const each = Math.max(Math.floor(Number(rest) / conns.length), 1);
    const began = process.hrtime.bigint();
    await Promise.all(conns.map((conn) => echo(conn, each)));
    console.log(JSON.stringify({ Messages: each * conns.length, Elapsed: Number(process.hrtime.bigint() - began) }));
  },
  async stats() {
    console.log("{}");
  },
};

const lines = require("readline").createInterface({ input: process.stdin });
lines.on("line", (line) => {
  const space = line.indexOf(" ");
  commands[space < 0 ? line : line.slice(0, space)](line.slice(space + 1));
});
lines.on("close", () => process.exit(0));
