import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";

export interface Message {
  to: string;
  subject: string;
  text: string;
}

/** Writes the message into the outbox and returns the path of its file. */
export async function post(directory: string, message: Message): Promise<string> {
  await mkdir(directory, { recursive: true });
  const path = join(directory, `${Date.now()}.json`);
  const envelope = {
    to: message.to,
    subject: message.subject,
    text: message.text,
  };
  await writeFile(path, JSON.stringify(envelope, null, 2));
  return path;
}
