"""discovery-inventory: any inventory script as a discovery plugin for Barrel.

The script prints what Ansible's dynamic inventories print, which many tools can do:

    {"_meta": {"hostvars": {"web1": {"ansible_host": "10.0.0.1", "barrel_node": "a@web1", "barrel_port": 9100}}}}

A host counts if it says which node runs there (barrel_node). The script runs in the background, so
that a slow one costs no lookup, and the last good inventory is kept.
"""

import json
import subprocess
import threading

from barrel_plugin import NotFound, Plugin, Setting, serve


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
        self.stopping, self.thread = threading.Event(), None

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
        self.stopping.clear()
        self.refresh()
        self.thread = threading.Thread(target=self.poll, daemon=True)
        self.thread.start()

    def stop(self):
        self.stopping.set()
        with self.lock:
            self.lock.notify_all()
        if self.thread:
            self.thread.join()
            self.thread = None

    def poll(self):
        while not self.stopping.wait(self.values["interval"]):
            self.refresh()

    def refresh(self):
        try:
            out = subprocess.run(self.values["command"], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                 stderr=subprocess.PIPE, timeout=self.values["timeout"], check=True).stdout
            nodes, problem = self.read(json.loads(out)), ""
        except (OSError, subprocess.SubprocessError, ValueError, AttributeError) as error:
            nodes, problem = None, "the inventory cannot be read: %s" % error
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
            node = variables.get("barrel_node")
            if node:
                address = variables.get("ansible_host", host)
                if ":" in address:
                    address = "[%s]" % address
                nodes.setdefault(node, []).append("%s:%d" % (address, variables.get("barrel_port", self.values["port"])))
        return nodes

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
