/*
 * Copyright (c) 2026 The beacond authors
 * SPDX-License-Identifier: ISC
 *
 * A peer on node-ws, driven by lines of JSON on standard input:
 *   {"op":"login","url":URL,"node":N,"seed":HEX,"legacy":false}
 *   {"op":"send","data":BASE64,"how":"whole"|"fragments"|"bytewise"}
 *   {"op":"ping","data":TEXT}   {"op":"close"}
 * and answering with lines of JSON on standard output, one an event.
 */
"use strict";

const crypto = require("crypto");
const readline = require("readline");
const WebSocket = require("ws");

const PKCS8 = Buffer.from("302e020100300506032b657004220420", "hex");
const SPKI = 12;	/* bytes before the key itself */

let ws;

function
say(event, more)
{
	console.log(JSON.stringify({ event, ...more }));
}

function
answer(op, challenge)
{
	const key = crypto.createPrivateKey({ format: "der", type: "pkcs8",
	    key: Buffer.concat([PKCS8, Buffer.from(op.seed, "hex")]) });
	const open = crypto.createPublicKey(key).export({ format: "der",
	    type: "spki" }).subarray(SPKI);
	const when = op.legacy ? "" : challenge.ts + ":";
	const text = `compat_auth:${op.node}:${when}${challenge.nonce}`;

	ws.send(JSON.stringify({ type: "auth_reply", node_id: op.node,
	    public_key: open.toString("base64"),
	    sig: crypto.sign(null, Buffer.from(text), key)
		.toString("base64") }));
}

function
onText(op, text)
{
	const message = JSON.parse(text);

	if (message.type === "auth_challenge")
		answer(op, message);
	else if (message.type === "auth_ok")
		say("auth_ok", { protocol: ws.protocol });
}

function
login(op)
{
	ws = new WebSocket(op.url, "pilot.v1", { perMessageDeflate: false });
	ws.on("message", (data, isBinary) => {
		if (isBinary)
			say("message", { data: data.toString("base64") });
		else
			onText(op, data.toString());
	});
	ws.on("ping", () => say("ping"));
	ws.on("pong", (data) => say("pong", { data: data.toString() }));
	ws.on("close", (code, reason) =>
	    say("close", { code, reason: reason.toString() }));
	ws.on("error", (error) => say("error", { what: error.message }));
}

/* Every byte in a segment of its own. */
function
sendBytewise(data)
{
	const socket = ws._socket;
	const write = socket.write;
	const cork = socket.cork;

	socket.setNoDelay(true);
	socket.cork = () => {};
	socket.write = function (chunk, encoding, done) {
		for (let i = 0; i < chunk.length; i++)
			write.call(socket, chunk.subarray(i, i + 1));
		const last = typeof encoding === "function" ? encoding : done;
		if (last)
			process.nextTick(last);
		return (true);
	};
	ws.send(data, { binary: true });
	socket.write = write;
	socket.cork = cork;
}

function
sendFragments(data)
{
	const size = Math.ceil(data.length / 5);

	for (let at = 0; at < data.length; at += size)
		ws.send(data.subarray(at, at + size), { binary: true,
		    fin: at + size >= data.length });
}

function
send(op)
{
	const data = Buffer.from(op.data, "base64");

	if (op.how === "bytewise")
		sendBytewise(data);
	else if (op.how === "fragments")
		sendFragments(data);
	else
		ws.send(data, { binary: true });
}

readline.createInterface({ input: process.stdin }).on("line", (line) => {
	const op = JSON.parse(line);

	if (op.op === "login")
		login(op);
	else if (op.op === "send")
		send(op);
	else if (op.op === "ping")
		ws.ping(op.data);
	else if (op.op === "close")
		ws.close(1000);
}).on("close", () => process.exit(0));
