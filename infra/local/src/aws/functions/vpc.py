"""Runs a program in a network of its own: vpc.py [ADDRESS:PORT=SOCKET ...] -- PROGRAM

Started in a new network namespace, in which nothing can be reached. Each ADDRESS:PORT of the loopback interface leads to a
Unix socket outside, because a path of the file system is the same in all network namespaces. Ends with the program, and
with its exit status as a shell reports it.
"""

import asyncio
import fcntl
import socket
import struct
import sys

# <linux/sockios.h>, <linux/if.h> and the size of `struct ifreq`.
SIOCGIFFLAGS, SIOCSIFFLAGS, IFF_UP, IFREQ = 0x8913, 0x8914, 1, "16sh22x"


def loopback_up():
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as control:
        found = fcntl.ioctl(control, SIOCGIFFLAGS, struct.pack(IFREQ, b"lo", 0))
        flags = struct.unpack(IFREQ, found)[1]
        fcntl.ioctl(control, SIOCSIFFLAGS, struct.pack(IFREQ, b"lo", flags | IFF_UP))


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


async def main(arguments):
    split = arguments.index("--")
    loopback_up()
    for way in arguments[:split]:
        place, path = way.split("=", 1)
        address, port = place.rsplit(":", 1)
        await asyncio.start_server(lambda r, w, path=path: forwarded(r, w, path), address, int(port))
    program = await asyncio.create_subprocess_exec(*arguments[split + 1 :])
    status = await program.wait()
    return status if status >= 0 else 128 - status


sys.exit(asyncio.run(main(sys.argv[1:])))
