"""Runs a program in a network of its own: vpc.py SETTINGS PROGRAM

Started in new namespaces of network and mounts, in which nothing can be reached. SETTINGS is a JSON file:

  ways      each address and port leads to a Unix socket outside, because a path of the file system is the same in all
            network namespaces
  silent    each ADDRESS:PORT answers no attempt to connect
  resolver  whether the resolver answers
  names     the names that it knows and their addresses; `*.` at the beginning stands for all names that end so, and null
            for no address
  folder    the folder for the files of the name service

What is sent to any other address is lost. Ends with the program, and with its exit status as a shell reports it.
"""

import asyncio
import ctypes
import fcntl
import json
import os
import socket
import struct
import sys

# <linux/sockios.h>, <linux/if.h>, <linux/route.h>, <linux/mount.h>.
SIOCADDRT, SIOCGIFFLAGS, SIOCSIFFLAGS, SIOCSIFADDR, SIOCSIFNETMASK = 0x890B, 0x8913, 0x8914, 0x8916, 0x891C
IFF_UP, RTF_UP, MS_BIND = 1, 1, 4096
# The sizes of `struct ifreq` with flags and with an address, and of `struct rtentry`.
FLAGS, ADDRESS, ROUTE = "16sh22x", "16s16s8x", "L16s16s16sHhLBBhhhhPLLH6x"
# The Amazon DNS server (Amazon VPC User Guide, "DNS attributes for your VPC").
RESOLVER = "169.254.169.253"
# Types of records and results (RFC 1035).
A, NO_ERROR, NO_SUCH_NAME = 1, 0, 3


def inet(address):
    return struct.pack("HH4s8x", socket.AF_INET, 0, socket.inet_aton(address))


def open_network(addresses):
    """Brings up the loopback interface with further addresses. What is sent to others is lost there."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as control:
        found = fcntl.ioctl(control, SIOCGIFFLAGS, struct.pack(FLAGS, b"lo", 0))
        flags = struct.unpack(FLAGS, found)[1]
        fcntl.ioctl(control, SIOCSIFFLAGS, struct.pack(FLAGS, b"lo", flags | IFF_UP))
        for number, address in enumerate(addresses):
            name = b"lo:%d" % number
            fcntl.ioctl(control, SIOCSIFADDR, struct.pack(ADDRESS, name, inet(address)))
            fcntl.ioctl(control, SIOCSIFNETMASK, struct.pack(ADDRESS, name, inet("255.255.255.255")))
        device = ctypes.create_string_buffer(b"lo")
        every = inet("0.0.0.0")
        route = (0, every, every, every, RTF_UP, 0, 0, 0, 0, 0, 0, 0, 0, ctypes.addressof(device), 0, 0, 0)
        fcntl.ioctl(control, SIOCADDRT, struct.pack(ROUTE, *route))


def replace(path, content, folder):
    """Gives a file of the system another content in this namespace."""
    if not os.path.exists(path):
        return
    own = os.path.join(folder, os.path.basename(path))
    with open(own, "w") as file:
        file.write(content)
    mount = ctypes.CDLL(None, use_errno=True).mount
    if mount(own.encode(), path.encode(), None, ctypes.c_ulong(MS_BIND), None) != 0:
        raise OSError(ctypes.get_errno(), "failed to mount " + path)


def silent(place):
    """Returns sockets that must stay open. Packets to a socket whose backlog is full are dropped."""
    address, port = place.rsplit(":", 1)
    listener = socket.create_server((address, int(port)), backlog=0)
    waiting = [socket.socket() for _ in range(2)]
    for one in waiting:
        one.setblocking(False)
        one.connect_ex((address, int(port)))
    return [listener, *waiting]


class Resolver(asyncio.DatagramProtocol):
    def __init__(self, names):
        self.names = names

    def connection_made(self, transport):
        self.transport = transport

    def datagram_received(self, query, sender):
        try:
            self.transport.sendto(self.answer(query), sender)
        except (IndexError, struct.error, UnicodeDecodeError):
            pass  # Not a query.

    def answer(self, query):
        labels, at = [], 12
        while length := query[at]:
            labels.append(query[at + 1 : at + 1 + length].decode().lower())
            at += 1 + length
        kind = struct.unpack_from(">H", query, at + 1)[0]
        question = query[12 : at + 5]
        address = self.find(labels)
        result = NO_ERROR if address else NO_SUCH_NAME
        records = b""
        if address and kind == A:
            # The name is that of the question, at offset 12; class IN, for a minute.
            records = struct.pack(">HHHIH4s", 0xC00C, A, 1, 60, 4, socket.inet_aton(address))
        head = query[:2] + struct.pack(">HHHHH", 0x8180 | result, 1, 1 if records else 0, 0, 0)
        return head + question + records

    def find(self, labels):
        name = ".".join(labels)
        if name in self.names:
            return self.names[name]
        ends = ("*." + ".".join(labels[first:]) for first in range(1, len(labels)))
        return next((self.names[end] for end in ends if end in self.names), None)


async def copied(reader, writer):
    try:
        while data := await reader.read(1 << 16):
            writer.write(data)
            await writer.drain()
        writer.write_eof()
    except OSError:
        writer.close()


async def forwarded(reader, writer, path):
    try:
        far_reader, far_writer = await asyncio.open_unix_connection(path)
    except OSError:
        writer.close()
        return
    await asyncio.gather(copied(reader, far_writer), copied(far_reader, writer))
    for end in (writer, far_writer):
        end.close()


async def main(settings, program):
    with open(settings) as file:
        settings = json.load(file)
    ways, folder = settings["ways"], settings["folder"]
    others = {way["address"] for way in ways if not way["address"].startswith("127.")}
    open_network([RESOLVER, *sorted(others)])
    replace("/etc/hosts", "127.0.0.1 localhost\n", folder)
    replace("/etc/nsswitch.conf", "hosts: files dns\n", folder)
    replace("/etc/resolv.conf", f"nameserver {RESOLVER}\noptions timeout:1 attempts:2\n", folder)
    kept = [silent(place) for place in settings["silent"]]
    if settings["resolver"]:
        kept.append(
            await asyncio.get_running_loop().create_datagram_endpoint(
                lambda: Resolver(settings["names"]), local_addr=(RESOLVER, 53)
            )
        )
    else:
        mute = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        mute.bind((RESOLVER, 53))
        kept.append(mute)
    for way in ways:
        handler = lambda r, w, path=way["socket"]: forwarded(r, w, path)
        kept.append(await asyncio.start_server(handler, way["address"], way["port"]))
    started = await asyncio.create_subprocess_exec(*program)
    status = await started.wait()
    return status if status >= 0 else 128 - status


sys.exit(asyncio.run(main(sys.argv[1], sys.argv[2:])))
