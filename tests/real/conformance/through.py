"""Puts a gateway between the suite's test server and the official client, for one scenario.

through.py GATEWAY INTERACTIVE CLIENT URL: starts GATEWAY with URL as its only child, whose mount has
`interactive = INTERACTIVE`, runs CLIENT on it.
With `direct` for GATEWAY the client goes to URL itself.
"""

import json
import os
import subprocess
import sys
import tempfile

gateway, interactive, client, url = sys.argv[1:]
if gateway == "direct":
    sys.exit(subprocess.call([sys.executable, client, url]))

with tempfile.TemporaryDirectory(prefix="gateway-conformance-") as folder:
    routing = os.path.join(folder, "routing.toml")
    with open(routing, "w", encoding="utf-8") as file:
        file.write('[gateway]\nlisten = "127.0.0.1:0"\nadmin = "127.0.0.1:0"\n')
        file.write(f'[mounts.child]\nurl = {json.dumps(url)}\nprefix = ""\ninteractive = {interactive}\n')
    states = {name: folder for name in ("XDG_STATE_HOME", "XDG_CACHE_HOME", "XDG_DATA_HOME")}
    running = subprocess.Popen(
        [gateway, "run", routing], stdout=subprocess.PIPE, text=True, env={**os.environ, **states}
    )
    try:
        for line in running.stdout:
            word, _, rest = line.partition(" ")
            if word == "endpoint":
                status = subprocess.call([sys.executable, client, rest.strip()])
                break
        else:
            status = 70
    finally:
        running.terminate()
        running.wait()
sys.exit(status)
