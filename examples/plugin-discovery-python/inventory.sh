#!/bin/sh
# An inventory as Ansible's dynamic inventories print it; yours asks a cloud or a database.
cat <<END
{"_meta": {"hostvars": {
  "web1": {"ansible_host": "10.0.0.1", "barrel_node": "b@10.0.0.1"},
  "web2": {"ansible_host": "fd00::2", "barrel_node": "c@web2", "barrel_port": 9200},
  "db1": {"ansible_host": "10.0.0.9"}}}}
END
