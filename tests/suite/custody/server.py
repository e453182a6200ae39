# A legacy server that starts, before it serves, a grandchild that does all a process can do to get
# away: it is nobody's child, in a session of its own, deaf to every signal that can be ignored, with
# no descriptor of its parents and an empty environment. Only its last argument tells whose it is.
import json, os, subprocess, sys

FUGITIVE = """
import os, signal, sys
if os.fork(): os._exit(0)
os.setsid()
if os.fork(): os._exit(0)
os.closerange(0, 100)
for one in (signal.SIGTERM, signal.SIGHUP, signal.SIGINT, signal.SIGQUIT):
    signal.signal(one, signal.SIG_IGN)
folder = sys.argv[1]
open(os.path.join(folder, "fugitive." + str(os.getpid())), "w").close()
while True: signal.pause()
"""
subprocess.run([sys.executable, "-c", FUGITIVE, os.environ["MARK"]], env={}, check=True)

for line in sys.stdin:
    message = json.loads(line)
    method, id = message.get("method"), message.get("id")
    if method == "initialize":
        result = {"protocolVersion": "2025-06-18", "capabilities": {"tools": {}},
                  "serverInfo": {"name": "s", "version": "1"}}
    elif method == "tools/list":
        result = {"tools": [{"name": "pid", "inputSchema": {"type": "object"}}]}
    elif method == "tools/call":
        result = {"content": [{"type": "text", "text": str(os.getpid())}]}
    elif id is not None:
        print(json.dumps({"jsonrpc": "2.0", "id": id,
                          "error": {"code": -32601, "message": "none"}}), flush=True)
        continue
    else:
        continue
    print(json.dumps({"jsonrpc": "2.0", "id": id, "result": result}), flush=True)
