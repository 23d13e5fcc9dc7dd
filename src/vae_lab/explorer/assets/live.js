// The decoder that asks the page's server: see server.py for what a message holds.

const ENDED = "The server has ended. Start it again with python -m vae_lab.explore, and open the address that it prints.";

/** A decoder behind the websocket: ``decode(z)`` promises the bytes of a picture, and fails when the server has gone. */
function liveDecoder(address) {
  const socket = new WebSocket(address);
  socket.binaryType = "arraybuffer";
  const waiting = new Map(); // by number of the message
  let sent = 0;

  socket.addEventListener("message", ({ data }) => {
    const number = new DataView(data).getUint32(0, true);
    for (const [earlier, promise] of waiting) {
      if (earlier > number) break;
      waiting.delete(earlier); // the server skips what is no longer the newest
      promise.resolve(earlier === number ? new Uint8ClampedArray(data, 4) : null);
    }
  });

  const opened = new Promise((resolve) => socket.addEventListener("open", resolve));
  const closed = new Promise((_, reject) => socket.addEventListener("close", () => reject(new Error(ENDED))));
  closed.catch(() => {});

  function ask(z) {
    const message = new DataView(new ArrayBuffer(4 + 4 * z.length));
    message.setUint32(0, ++sent, true);
    z.forEach((value, i) => message.setFloat32(4 + 4 * i, value, true));
    const answer = new Promise((resolve) => waiting.set(sent, { resolve }));
    socket.send(message.buffer);
    return answer;
  }

  return { closed, decode: async (z) => (await Promise.race([opened, closed]), Promise.race([ask(z), closed])) };
}
