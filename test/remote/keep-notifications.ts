const NOTIFICATION = 'A'.charCodeAt(0);

/**
 * Of what a PostgreSQL server says everything but notifications, as a pooler in transaction mode passes it on: those come
 * when the client has no server.
 * @see https://www.postgresql.org/docs/current/protocol-message-formats.html
 */
export function keepNotifications(): (chunk: Buffer) => Buffer {
  let rest = Buffer.alloc(0);
  return (chunk) => {
    rest = Buffer.concat([rest, chunk]);
    const passed: Buffer[] = [];
    // A type, then a length that counts itself.
    while (rest.length >= 5 && rest.length >= 1 + rest.readUInt32BE(1)) {
      const message = rest.subarray(0, 1 + rest.readUInt32BE(1));
      if (message[0] !== NOTIFICATION) passed.push(message);
      rest = rest.subarray(message.length);
    }
    return Buffer.concat(passed);
  };
}
