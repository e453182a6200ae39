// Preloaded into servers that would bind every interface: whatever they ask, they listen on loopback only,
// and say where: `listening http://127.0.0.1:PORT`.
const net = require('node:net');

const listen = net.Server.prototype.listen;

net.Server.prototype.listen = function (...args) {
  const [first] = args;
  const port = typeof first === 'object' && first !== null ? first.port : first;
  if (!/^\d+$/.test(String(port))) throw new Error(`expected a port to listen on, found ${port}`);
  const listening = args.find((arg) => typeof arg === 'function');
  this.once('listening', () => {
    const { address, port } = this.address();
    process.stdout.write(`listening http://${address}:${port}\n`);
  });
  return listen.call(this, { port: Number(port), host: '127.0.0.1' }, listening);
};
