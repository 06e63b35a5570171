#!/usr/bin/env python3
"""Usage: no-offload.py INTERFACE...  Turns checksum and segmentation offload off, as `ethtool -K` would.

A relay of frames needs it: it would pass on frames whose checksum nobody has filled in, and larger than the MTU.
"""

import array
import fcntl
import socket
import struct
import sys

SIOCETHTOOL = 0x8946
# ETHTOOL_STXCSUM, ETHTOOL_SSG, ETHTOOL_STSO, ETHTOOL_SGSO, ETHTOOL_SGRO
SETTINGS = (0x17, 0x19, 0x1F, 0x24, 0x2C)

with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as control:
    for name in sys.argv[1:]:
        for setting in SETTINGS:
            value = array.array("B", struct.pack("II", setting, 0))
            request = struct.pack("16sP", name.encode(), value.buffer_info()[0])
            try:
                fcntl.ioctl(control, SIOCETHTOOL, request)
            except OSError as error:
                print(f"no-offload: {name} {setting:#x}: {error}", file=sys.stderr)
