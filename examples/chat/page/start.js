"use strict";
// Starts the program that the page consists of, which is Go.
const go = new Go();
WebAssembly.instantiateStreaming(fetch("/-/chat.wasm"), go.importObject)
	.then(({ instance }) => go.run(instance))
	.catch((error) => {
		document.documentElement.dataset.state = "loading";
		document.getElementById("door-text").textContent = `The program could not be run: ${error}`;
	});
