"""discovery-inventory: any inventory script as a discovery plugin for Barrel.

The script prints what Ansible's dynamic inventories print, which many tools can do:

    {"_meta": {"hostvars": {"web1": {"ansible_host": "10.0.0.1", "barrel_node": "a@web1", "barrel_port": 9100}}}}

A host counts if it says which node runs there (barrel_node). The script runs in the background, so
that a slow one costs no lookup, and the last good inventory is kept; health says when it is old.
"""

import json
import subprocess
import threading

from barrel_plugin import NotFound, Plugin, Setting, serve

# How long start waits for the first inventory, and stop for the end of the script, in seconds. A
# node waits for ten and two.
FIRST, LAST = 3.0, 1.0


class Discovery(Plugin):
    """Nodes of an inventory script (Ansible's JSON)"""

    settings = {
        "command": Setting(list, [], "the script and its arguments"),
        "interval": Setting(float, 30.0, "seconds between runs"),
        "timeout": Setting(float, 20.0, "seconds that a run may take"),
        "port": Setting(int, 9100, "of hosts that do not say barrel_port"),
    }

    def __init__(self, values, env):
        super().__init__(values, env)
        self.lock = threading.Condition()
        self.nodes, self.problem, self.version = None, "no inventory yet", 0
        self.stopping, self.thread, self.script = threading.Event(), None, None

    def validate(self, values):
        command = values["command"]
        if not command or not all(isinstance(word, str) for word in command):
            yield "command", "is no command", "write [/usr/local/bin/inventory, --list]"
        elif not command[0].startswith("/"):
            yield "command[0]", '"%s" is no absolute path' % command[0], "programs are not searched for"
        for key in ("interval", "timeout"):
            if not values[key] > 0:
                yield key, "must be more than 0", ""
        if not 0 < values["port"] < 65536:
            yield "port", "must be 1 to 65535", ""

    def start(self):
        first, self.stopping = threading.Event(), threading.Event()  # another pair for each life
        self.thread = threading.Thread(target=self.poll, args=(self.stopping, first), daemon=True)
        self.thread.start()
        first.wait(FIRST)

    def stop(self):
        self.stopping.set()
        with self.lock:
            self.lock.notify_all()
            if self.script:
                self.script.kill()
        if self.thread:
            self.thread.join(LAST)  # longer if a child of the script holds its output open
            self.thread = None

    def poll(self, stopping, first):
        while not stopping.is_set():
            try:
                nodes, problem = self.read(json.loads(self.run(stopping))), ""
            except Exception as error:  # pylint: disable=broad-except  (whatever the script prints)
                nodes, problem = None, "the inventory cannot be read: %s" % error
            if not stopping.is_set():
                self.note(nodes, problem)
            first.set()
            stopping.wait(self.values["interval"])

    def run(self, stopping):
        """What the script prints."""
        with self.lock:
            if stopping.is_set():
                raise RuntimeError("stopped")
            script = self.script = subprocess.Popen(
                self.values["command"], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        with script:
            try:
                out, _ = script.communicate(timeout=self.values["timeout"])
            finally:
                script.kill()
        if script.returncode:
            raise subprocess.CalledProcessError(script.returncode, self.values["command"][0])
        return out

    def note(self, nodes, problem):
        with self.lock:
            if problem and problem != self.problem:
                self.log.warning("cannot read the inventory", error=problem)
            self.problem = problem
            if nodes is not None and nodes != self.nodes:
                self.nodes, self.version = nodes, self.version + 1
                self.lock.notify_all()

    def read(self, inventory):
        nodes = {}
        for host, variables in inventory.get("_meta", {}).get("hostvars", {}).items():
            if variables.get("barrel_node"):
                try:
                    nodes.setdefault(variables["barrel_node"], []).append(self.address(host, variables))
                except (TypeError, ValueError) as error:
                    raise ValueError("host %s: %s" % (host, error)) from None
        return nodes

    def address(self, host, variables):
        address, port = variables.get("ansible_host", host), int(variables.get("barrel_port", self.values["port"]))
        if not 0 < port < 65536:
            raise ValueError("barrel_port %d: must be 1 to 65535" % port)
        return ("[%s]:%d" if ":" in address else "%s:%d") % (address, port)

    def health(self):
        with self.lock:
            if self.problem:
                return "degraded", self.problem
            return "ok", "%d nodes" % len(self.nodes)

    def known(self):
        with self.lock:
            if self.nodes is None:
                raise RuntimeError(self.problem)
            return dict(self.nodes)

    def lookup(self, node):
        try:
            return self.known()[node]
        except KeyError:
            raise NotFound() from None

    def list(self):
        return self.known()

    def watch(self, stopped):
        """Says that anything may have changed whenever the inventory is another one."""
        with self.lock:
            seen = self.version
        while not stopped.is_set() and not self.stopping.is_set():
            with self.lock:
                self.lock.wait_for(lambda: self.version != seen or self.stopping.is_set(), timeout=0.2)
                changed, seen = self.version != seen, self.version
            if changed:
                yield ""


if __name__ == "__main__":
    serve("discovery", "inventory", "1.0.0", Discovery)
