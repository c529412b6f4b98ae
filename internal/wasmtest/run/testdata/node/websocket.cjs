// Loaded before the program: the WebSocket that comes with Node.js 20 is not
// whole, and must not be taken for another one.
globalThis.WebSocket = require("ws").WebSocket;
