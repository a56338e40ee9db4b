#!/usr/bin/env node
import { createInterface } from "node:readline";
import { post } from "./outbox.js";

interface Request {
  jsonrpc: "2.0";
  id?: number | string;
  method: string;
  params?: Record<string, unknown>;
}

const tools = [
  {
    name: "send_message",
    description: "Puts a message into the outbox directory.",
    inputSchema: {
      type: "object",
      properties: {
        to: { type: "string" },
        subject: { type: "string" },
        text: { type: "string" },
      },
      required: ["to", "subject", "text"],
    },
  },
];

async function answer(request: Request): Promise<unknown> {
  switch (request.method) {
    case "initialize":
      return {
        protocolVersion: "2025-06-18",
        capabilities: { tools: {} },
        serverInfo: { name: "postbox", version: "1.0.0" },
      };
    case "tools/list":
      return { tools };
    case "tools/call": {
      const given = (request.params?.arguments ?? {}) as Record<string, unknown>;
      const path = await post(process.env.POSTBOX_DIR ?? "outbox", {
        to: String(given.to ?? ""),
        subject: String(given.subject ?? ""),
        text: String(given.text ?? ""),
      });
      return { content: [{ type: "text", text: `written to ${path}` }] };
    }
    default:
      throw new Error(`unknown method ${request.method}`);
  }
}

for await (const line of createInterface({ input: process.stdin })) {
  if (!line.trim()) continue;
  const request = JSON.parse(line) as Request;
  if (request.id === undefined) continue;
  try {
    const result = await answer(request);
    console.log(JSON.stringify({ jsonrpc: "2.0", id: request.id, result }));
  } catch (error) {
    const message = error instanceof Error ? error.message : String(error);
    console.log(JSON.stringify({ jsonrpc: "2.0", id: request.id, error: { code: -32603, message } }));
  }
}
