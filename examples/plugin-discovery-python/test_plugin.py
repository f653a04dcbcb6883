"""Tests of the plugin itself: python3 -m unittest. They need nothing but Python."""

import json
import os
import tempfile
import threading
import time
import unittest
import unittest.mock

from barrel_plugin import NotFound, made
from plugin import Discovery

PATIENCE = 60.0  # bounds every wait; it says nothing of how fast something is


def host(**variables):
    return {"_meta": {"hostvars": {"web1": variables}}}


class InventoryTest(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.path = os.path.join(folder.name, "inventory")

    def write(self, inventory):
        with open(self.path + ".new", "w", encoding="utf-8") as file:
            json.dump(inventory, file)
        os.rename(self.path + ".new", self.path)

    def plugin(self, command=None, **values):
        plugin = made(Discovery, command=command or ["/bin/cat", self.path], **dict({"interval": 0.01}, **values))
        self.addCleanup(plugin.stop)
        plugin.start()
        return plugin

    def eventually(self, what, holds):
        deadline = time.monotonic() + PATIENCE
        while not holds():
            if time.monotonic() > deadline:
                self.fail(what)
            time.sleep(0.005)

    def test_hosts_that_run_a_node_are_found(self):
        self.write(host(barrel_node="b@10.0.0.1", ansible_host="fd00::2", barrel_port=9200))
        plugin = self.plugin()
        self.assertEqual(plugin.lookup("b@10.0.0.1"), ["[fd00::2]:9200"])
        self.assertEqual(plugin.health(), ("ok", "1 nodes"))
        with self.assertRaises(NotFound):
            plugin.lookup("c@10.0.0.1")

    def test_a_port_may_be_text(self):
        self.write(host(barrel_node="b@10.0.0.1", ansible_host="10.0.0.1", barrel_port="9200"))
        self.assertEqual(self.plugin().lookup("b@10.0.0.1"), ["10.0.0.1:9200"])

    def test_a_bad_inventory_is_told_and_the_last_good_one_kept(self):
        good = host(barrel_node="b@10.0.0.1", ansible_host="10.0.0.1")
        self.write(good)
        plugin = self.plugin()
        for bad in ([], {"_meta": []}, host(barrel_node="b@10.0.0.1", barrel_port="http"), host(barrel_node="b@10.0.0.1", barrel_port=70000),
                    host(barrel_node="b@10.0.0.1", barrel_port=[]), host(barrel_node=["b"]), host(barrel_node="b@10.0.0.1", ansible_host=7)):
            self.write(bad)
            self.eventually("%s: health %s" % (bad, plugin.health()), lambda: plugin.health()[0] == "degraded")
            self.assertEqual(plugin.lookup("b@10.0.0.1"), ["10.0.0.1:9100"])
            self.write(good)
            self.eventually("%s: it does not recover" % bad, lambda: plugin.health()[0] == "ok")

    def quickly(self, act, what):
        """Do something that must not wait for the script of an hour."""
        work = threading.Thread(target=act, daemon=True)
        work.start()
        work.join(PATIENCE)
        self.assertFalse(work.is_alive(), what)

    def written(self):
        """The process id in the file, when it is there."""
        self.eventually("the script has written nothing", lambda: os.path.exists(self.path) and os.path.getsize(self.path))
        with open(self.path, encoding="utf-8") as file:
            return int(file.read())

    def has_ended(self, pid):
        try:
            os.kill(pid, 0)
        except ProcessLookupError:
            return True
        return False

    def test_a_slow_script_keeps_neither_start_nor_stop_waiting(self):
        plugin = made(Discovery, command=["/bin/sh", "-c", 'echo $$ > "$0"; exec sleep 3600', self.path], timeout=3600.0)
        with unittest.mock.patch("plugin.FIRST", 0.1):
            self.quickly(plugin.start, "start takes as long as the script")
        with self.assertRaises(RuntimeError):  # and not NotFound, which would be an answer
            plugin.lookup("b@10.0.0.1")
        self.assertEqual(plugin.health(), ("degraded", "no inventory yet"))
        pid = self.written()
        self.quickly(plugin.stop, "stop takes as long as the script")
        self.eventually("the script still runs", lambda: self.has_ended(pid))

    def test_what_a_script_leaves_behind_keeps_nobody_waiting(self):
        command = ["/bin/sh", "-c", 'sleep 3600 & echo $! > "$0"; wait', self.path]
        plugin = made(Discovery, command=command, timeout=3600.0)
        with unittest.mock.patch("plugin.FIRST", 0.1):
            self.quickly(plugin.start, "start takes as long as the script")
        child = self.written()
        try:
            self.quickly(plugin.stop, "stop waits for who holds the output open")
        finally:
            os.kill(child, 9)

    def test_it_starts_again_after_its_end(self):
        self.write(host(barrel_node="b@10.0.0.1", ansible_host="10.0.0.1"))
        plugin = self.plugin()
        plugin.stop()
        self.write(host(barrel_node="c@10.0.0.1", ansible_host="10.0.0.1"))
        plugin.start()
        self.eventually("the new inventory is not read", lambda: "c@10.0.0.1" in plugin.list())


if __name__ == "__main__":
    unittest.main()
