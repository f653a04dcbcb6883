#!/bin/sh
# Packs the plugin into one executable file, which is what a node can pin by its checksum.
set -eu
cd "$(dirname "$0")"
rm -rf build
mkdir build
cp plugin.py build/__main__.py
cp barrel_plugin.py build/
/usr/bin/python3 -m zipapp build -o discovery-inventory -p /usr/bin/python3
rm -rf build
chmod 755 discovery-inventory
