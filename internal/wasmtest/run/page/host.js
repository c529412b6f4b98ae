// Runs test.wasm, in a page or in a worker, and tells the program that serves
// this file what it prints and how it ends.
"use strict";

const post = (what, body) => fetch(what, { method: "POST", body });
// What a program leaves behind may still call it when it is over.
let over = false;
const fail = (why) => over || post("failed", String(why?.stack ?? why));

globalThis.addEventListener("error", (event) => {
	if (over) event.preventDefault(); // or the page of a worker hears of it
	fail(event.error ?? event.message);
});
globalThis.addEventListener("unhandledrejection", (event) => fail(event.reason));

(async () => {
	const { args, env } = await (await fetch("config")).json();
	const go = new Go();
	go.argv = args;
	go.env = env;
	let code = 0;
	go.exit = (n) => {
		code = n;
		over = true; // also for calls in the midst of which that happens
	};
	// One request at a time, so that the order is kept.
	let printed = Promise.resolve();
	globalThis.fs.writeSync = (fd, bytes) => {
		const copy = bytes.slice();
		printed = printed.then(() => post("output", copy));
		return bytes.length;
	};
	const { instance } = await WebAssembly.instantiateStreaming(fetch("test.wasm"), go.importObject);
	await go.run(instance);
	await printed;
	await post("exit", String(code));
})().catch(fail);
