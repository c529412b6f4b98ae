// In the page it starts a worker; in the worker it runs the tests.
if (globalThis.document) {
	new Worker("worker.js").onerror = (event) =>
		fetch("failed", { method: "POST", body: `the worker: ${event.message}` });
} else {
	importScripts("wasm_exec.js", "host.js");
}
