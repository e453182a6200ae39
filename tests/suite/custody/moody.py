# A legacy server whose mood is in the file `mood` of its folder: dead, hangs, or names of its tools.
import json, os, sys, time

mood = open("mood").read().split()
if mood == ["dead"]:
    sys.exit("I am dead")
for line in sys.stdin:
    message = json.loads(line)
    method, id = message.get("method"), message.get("id")
    if mood == ["hangs"] or id is None:
        continue
    if method == "initialize":
        result = {"protocolVersion": "2025-06-18", "capabilities": {"tools": {}},
                  "serverInfo": {"name": "s", "version": "1"}}
    elif method == "tools/list":
        # A member that nobody knows, and a number that no float holds, stay as they are.
        tools = [{"name": name, "inputSchema": {"type": "object"}, "x-big": 12345678901234567890123}
                 for name in mood]
        result = {"tools": tools}
    elif method == "tools/call":
        arguments = message["params"].get("arguments", {})
        gate = arguments.get("until")
        if gate:
            open(arguments["arrived"], "w").close()
        while gate and not os.path.exists(gate):
            time.sleep(0.01)
        result = {"content": [{"type": "text", "text": str(os.getpid())}]}
    else:
        print(json.dumps({"jsonrpc": "2.0", "id": id,
                          "error": {"code": -32601, "message": "none"}}), flush=True)
        continue
    print(json.dumps({"jsonrpc": "2.0", "id": id, "result": result}), flush=True)
