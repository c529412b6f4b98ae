// An echo server on uWebSockets, through its binding for Node.js.
const uws = require("@trufflesuite/uws-js-unofficial");
const deflate = process.argv.includes("-deflate");

const options = {
  compression: deflate ? uws.SHARED_COMPRESSOR | uws.SHARED_DECOMPRESSOR : uws.DISABLED,
  maxPayloadLength: 4 << 20,
  idleTimeout: 120,
};

uws.App()
  .ws("/echo", {
    ...options,
    message(ws, data, binary) {
      ws.send(data, binary, deflate);
    },
  })
  .ws("/broadcast", {
    ...options,
    open(ws) {
      ws.subscribe("all");
    },
    message(ws, data, binary) {
      ws.publish("all", data, binary, deflate);
      ws.send(data, binary, deflate);
    },
  })
  .listen("127.0.0.1", 0, (socket) => {
    console.log("127.0.0.1:" + uws.us_socket_local_port(socket));
  });

let line = "";
process.stdin.on("data", (data) => {
  for (const c of String(data)) {
    if (c !== "\n") {
      line += c;
      continue;
    }
    if (line === "free") {
      if (global.gc) global.gc();
      console.log("freed");
    } else if (line === "stats") {
      console.log("{}");
    }
    line = "";
  }
});
process.stdin.on("end", () => process.exit(0));
